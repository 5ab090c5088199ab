"""What is made from the package before Sphinx reads the pages."""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

from keras_optlab import transforms

from . import benchmark_page, golden, optimizer_pages, pictures
from .markdown import write

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent


def make_pages(app: Sphinx) -> None:
    """All that git does not keep; `docs/.gitignore` lists it."""
    optimizer_pages.write_all(DOCS / "optimizers")
    pictures.draw_all(DOCS / "drawn")
    benchmark_page.write_page(DOCS)
    for name in transforms.__all__:
        write(DOCS / "golden" / f"{name}.txt", golden.of_transform(name))
    copy_notebooks(DOCS / "notebooks")


def copy_notebooks(folder: Path) -> None:
    """The notebooks, which Sphinx can only read where its other pages are.

    Args:
        folder: Where they go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        copy = folder / notebook.name
        if not copy.exists() or copy.read_bytes() != notebook.read_bytes():
            shutil.copy2(notebook, copy)


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the pages when the build begins."""
    app.connect("builder-inited", make_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
