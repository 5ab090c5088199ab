"""Generation of pages from the package, before Sphinx reads them."""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

from keras_optlab import transforms

from . import benchmark_page, golden, optimizer_pages, pictures
from .markdown import write

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent


def make_pages(app: Sphinx) -> None:
    """Generate the pages that git does not track, listed in `docs/.gitignore`."""
    optimizer_pages.write_all(DOCS / "optimizers")
    pictures.draw_all(DOCS / "drawn")
    benchmark_page.write_page(DOCS)
    for name in transforms.__all__:
        write(DOCS / "golden" / f"{name}.txt", golden.of_transform(name))
    copy_notebooks(DOCS / "notebooks")


def copy_notebooks(folder: Path) -> None:
    """Copy the notebooks, which Sphinx can read only from the folder of its other pages.

    Args:
        folder: Where to copy them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        copy = folder / notebook.name
        if not copy.exists() or copy.read_bytes() != notebook.read_bytes():
            shutil.copy2(notebook, copy)


def setup(app: Sphinx) -> dict[str, bool]:
    """Generate the pages when the build begins."""
    app.connect("builder-inited", make_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
