"""Types and groups of arguments that several subcommands take."""

import argparse
from pathlib import Path

BACKENDS = ("tensorflow", "jax", "torch")


def whole_number(text: str, low: int) -> int:
    """An integer of at least `low`, or argparse's error."""
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if number < low:
        raise argparse.ArgumentTypeError(f"expected an integer >= {low}. Received: {text}")
    return number


def positive(text: str) -> int:
    """An integer >= 1."""
    return whole_number(text, 1)


def non_negative(text: str) -> int:
    """An integer >= 0."""
    return whole_number(text, 0)


def shared() -> argparse.ArgumentParser:
    """`--backend`, which every subcommand takes."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--backend", choices=BACKENDS, help="backend of Keras (default: that of KERAS_BACKEND)"
    )
    return parser


def add_optimizers(parser: argparse.ArgumentParser) -> None:
    """`--optimizers`."""
    parser.add_argument(
        "--optimizers", nargs="+", metavar="NAME", help="algorithms, as `optlab list` names them"
    )


def add_folder(parser: argparse.ArgumentParser, default: str, contents: str) -> None:
    """`--out`, the folder that the command writes."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(default),
        metavar="FOLDER",
        help=f"where to write {contents} (default: {default})",
    )


def add_seed(parser: "argparse._ActionsContainer") -> None:
    """`--seed`."""
    parser.add_argument(
        "--seed", type=non_negative, default=0, metavar="N", help="random seed (default: 0)"
    )
