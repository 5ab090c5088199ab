"""Tests that the notebooks run from top to bottom, and are stored with their output.

`pytest notebooks` runs them on TensorFlow. The suite in `tests/` does not, as they take minutes.
"""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

BACKEND = "tensorflow"
NOTEBOOKS = sorted(Path(__file__).parent.glob("*.ipynb"))
LARGEST = 400_000
SECONDS_A_CELL = 300

pytestmark = pytest.mark.skipif(
    os.environ.get("KERAS_BACKEND", BACKEND) != BACKEND,
    reason="the notebooks show the same on all backends, and are run on one",
)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(notebook):
    """Return the indices of the cells that show a picture."""
    return [
        number
        for number, cell in enumerate(notebook.cells)
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    ]


def test_there_are_four():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["1_", "2_", "3_", "4_"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stored_and_small(path):
    assert path.stat().st_size < LARGEST
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for output in (output for cell in cells for output in cell.outputs):
        assert output.output_type != "error"
        assert output.get("name") != "stderr"
    assert len(pictures(notebook)) >= 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_picture_is_followed_by_what_to_see_in_it(path):
    notebook = nbformat.read(path, as_version=4)
    for number in pictures(notebook):
        assert notebook.cells[number + 1].cell_type == "markdown"
        assert notebook.cells[number + 1].source.startswith("*What to see:*")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(path, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)
    stored = nbformat.read(path, as_version=4)
    notebook = nbformat.read(path, as_version=4)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(
        notebook, timeout=SECONDS_A_CELL, kernel_name="python3", resources=resources
    ).execute()
    assert pictures(notebook) == pictures(stored)
    printed = "".join(
        output.text
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stdout"
    )
    assert "NOT AS DOCUMENTED" not in printed
    verdicts = re.findall(r"^(holds|does not hold as claimed):", printed, re.MULTILINE)
    assert len(verdicts) == sum("claims.measure(" in cell.source for cell in code_cells(notebook))
