"""The code in docs/ runs as it is written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
WITH_CODE = sorted(path for path in DOCS.glob("*.md") if "```python" in path.read_text())


def test_there_are_documents():
    assert [path.name for path in WITH_CODE] == ["write_your_own.md"]


@pytest.mark.slow
@pytest.mark.parametrize("document", WITH_CODE, ids=lambda path: path.stem)
def test_code_blocks_run_one_after_another(document, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL)
    script = tmp_path / f"{document.stem}.py"
    script.write_text("\n".join(blocks))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
