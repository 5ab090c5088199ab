"""Settings of the documentation site.

    python -m sphinx -W --keep-going -b html docs docs/_build/html

builds the site, executes the notebooks and measures the claims. `DOCS=quick` in the environment
skips the last two: notebooks then show their stored output.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
QUICK = os.environ.get("DOCS") == "quick"

# The site shows the package of this checkout, also in notebooks, which run in other processes.
PATH = [str(HERE), str(HERE.parent)]
sys.path[:0] = PATH
os.environ["PYTHONPATH"] = os.pathsep.join([*PATH[1:], os.environ.get("PYTHONPATH", "")])
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_optlab import __version__  # noqa: E402

project = "keras-optlab"
author = "The keras-optlab authors"
copyright = author
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "optlab_site.mathml",
    "optlab_site.docstrings",
    "optlab_site.generate",
    "optlab_site.claims_page",
]
exclude_patterns = ["_build", "optlab_site"]

# Single backticks are code, in docstrings as in Markdown.
default_role = "name"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True
maximum_signature_line_length = 80

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "off" if QUICK else "force"
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_output_stderr = "remove"
optlab_measure_claims = not QUICK

html_theme = "furo"
html_title = "keras-optlab"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
