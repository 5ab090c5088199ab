"""Brings the NumPy equations of `tests/optimizers` within reach."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "optimizers"))
