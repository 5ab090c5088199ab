"""Files that a record is written to during training."""

import csv
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final


@final
class CsvFile:
    """CSV table with one row per recorded step.

    Args:
        path: File to write; an existing one is replaced.
        columns: Names of the columns after `step`.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self.columns = columns
        with path.open("w", newline="") as file:
            csv.writer(file).writerow(["step", *columns])

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add a row. The file is complete after each row, whatever happens to the training."""
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow([step, *(values[name] for name in self.columns)])

    def flush(self) -> None:
        """Do nothing, since rows are not buffered."""


@final
class TensorBoardFile:
    """Scalars for TensorBoard, through its writer, which needs no other package.

    Args:
        folder: Folder to write to; files already in it are kept.

    Raises:
        ImportError: If tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise ImportError(
                "`log_dir` needs TensorBoard, which is not installed. Received: "
                f"log_dir={str(folder)!r}. Install it with `pip install tensorboard`, or leave "
                "`log_dir` out."
            )
        from tensorboard.summary import Writer

        self.writer = Writer(str(folder))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """Write buffered points to disk."""
        self.writer.flush()
