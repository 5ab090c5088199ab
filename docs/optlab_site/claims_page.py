"""The page of claims: measured while the other pages are read, and filled in last."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError

from .markdown import table, write

if TYPE_CHECKING:
    from keras_optlab.lab.claims import Evidence

DOCUMENT = "claims"
FOLDER = Path(__file__).parents[1] / "measured"
PLACE = "<!-- what was measured -->"
NOT_MEASURED = "*The claims were not measured in this build of the documentation.*"


def measure_all(folder: Path) -> None:
    """Measure all claims; write a picture of each, and the text of the page.

    Args:
        folder: Where to write them.

    Raises:
        AssertionError: If a figure is not as documented.
    """
    from keras_optlab.lab import claims

    found = [claims.measure(number) for number in claims.CLAIMS]
    folder.mkdir(parents=True, exist_ok=True)
    for evidence in found:
        (folder / f"claim_{evidence.number}.png").write_bytes(claims.png(evidence))
    write(folder / "claims.txt", "\n\n".join([verdicts(found), *map(section, found)]))
    changed = [str(each.number) for each in found if not each.is_as_documented]
    if changed:
        raise AssertionError(f"not as documented: claim {', '.join(changed)}")


def verdicts(found: Sequence["Evidence"]) -> str:
    """Return a table of all claims and their verdicts."""
    return table(
        ["", "claim", "verdict"], [[str(each.number), each.claim, each.verdict] for each in found]
    )


def section(evidence: "Evidence") -> str:
    """Return the section of a claim, with its figures and picture."""
    rows = [
        [one.name, f"{one.value:.4g}", one.threshold, "met" if one.passed else "not met"]
        for one in evidence.measurements
    ]
    return f"""\
## Claim {evidence.number}

*{evidence.claim}*

**It {evidence.verdict}.** {evidence.text}

{table(["figure", "measured", "threshold", ""], rows)}

![Picture of claim {evidence.number}]({FOLDER.name}/claim_{evidence.number}.png)

*What to see:* {evidence.caption}
"""


class Measurement:
    """The measurement for a build, in a separate process.

    Args:
        wanted: Whether to measure; False leaves a note on the page.
    """

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self.process: subprocess.Popen | None = None

    def start(self, app: Sphinx, env: BuildEnvironment, documents: list[str]) -> None:
        """Start measuring if the page will be read, and have it read last."""
        if self.wanted and DOCUMENT in documents:
            documents.sort(key=lambda name: name == DOCUMENT)
            command = [sys.executable, "-m", f"{__package__}.claims_page"]
            path = os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])
            environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
            self.process = subprocess.Popen(
                command, env=environment, stderr=subprocess.PIPE, text=True
            )

    def fill(self, app: Sphinx, document: str, source: list[str]) -> None:
        """Insert the measurements into the page."""
        if document == DOCUMENT:
            source[0] = source[0].replace(PLACE, self.result())

    def result(self) -> str:
        """Wait for the measurement, and return the text of the page.

        Raises:
            SphinxError: If a claim did not come out as documented, or could not be measured.
        """
        if self.process is None:
            return NOT_MEASURED
        _, errors = self.process.communicate()
        if self.process.returncode:
            raise SphinxError(f"measuring the claims failed: {errors}")
        return (FOLDER / "claims.txt").read_text()


def setup(app: Sphinx) -> dict[str, bool]:
    """Measure unless `optlab_measure_claims` is False."""
    app.add_config_value("optlab_measure_claims", True, "env", bool)
    app.connect("builder-inited", connect)
    return {"parallel_read_safe": False, "parallel_write_safe": True}


def connect(app: Sphinx) -> None:
    """Connect the measurement for this build."""
    measurement = Measurement(app.config.optlab_measure_claims)
    app.connect("env-before-read-docs", measurement.start)
    app.connect("source-read", measurement.fill)


if __name__ == "__main__":
    measure_all(FOLDER)
