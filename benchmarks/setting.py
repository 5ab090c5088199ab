"""The choice of the backend, which must be made before Keras is imported."""

import argparse
import importlib.util
import os
from collections.abc import Sequence
from typing import NoReturn, final

BACKENDS = ("tensorflow", "jax", "torch")
# Packages that make tables and plots.
LAB_PACKAGES = ("matplotlib", "rich", "sklearn")
WRONG_INPUT = 2


@final
class Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_INPUT, f"{self.prog}: {message}\n")


def choose_backend(arguments: Sequence[str]) -> None:
    """Set Keras' backend from `--backend`, else from KERAS_BACKEND, else to TensorFlow."""
    parser = Parser(prog="benchmarks", add_help=False, allow_abbrev=False)
    parser.add_argument("--backend", default=os.environ.get("KERAS_BACKEND", "tensorflow"))
    backend = parser.parse_known_args(arguments)[0].backend
    if backend not in BACKENDS:
        parser.error(f"--backend must be one of {', '.join(BACKENDS)}. Received: {backend}")
    for extra, packages in ((backend, (backend,)), ("lab", LAB_PACKAGES)):
        missing = [package for package in packages if not importlib.util.find_spec(package)]
        if missing:
            needed = ", ".join(missing)
            parser.error(f'{needed} not installed: pip install "keras-optlab[{extra}]"')
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # If another process occupies one of the cores, threads that spin while they wait for each other
    # make a step on torch a hundred times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
