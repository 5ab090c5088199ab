"""`optlab find-lr`: a learning rate for a model and data."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from keras_optlab.lab.arguments import add_seed, positive, whole_number
from keras_optlab.lab.errors import InputError, pick
from keras_optlab.lab.terminal import LAB_PACKAGES, require, simple_table, wide_console

if TYPE_CHECKING:
    import keras

    from keras_optlab.lab.data import Dataset
    from keras_optlab.lab.range_test import LearningRateRange

NAME = "find-lr"
SUMMARY = "find a learning rate: train with rates from small to large and watch the loss"


def two_or_more(text: str) -> int:
    """An integer >= 2."""
    return whole_number(text, 2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_seed(parser)
    parser.add_argument(
        "--model",
        metavar="MODULE:FUNCTION",
        help="function that builds a Keras model, also FILE.py:FUNCTION; if it compiles the model, "
        "its optimizer is taken (default: a network with one hidden layer)",
    )
    parser.add_argument(
        "--data",
        metavar="DATA",
        help="own data: .npz or .csv, or MODULE:FUNCTION that returns (x, y) (default: "
        "scikit-learn's digits)",
    )
    parser.add_argument("--label", metavar="NAME", help="column or array with the labels")
    parser.add_argument(
        "--optimizer",
        metavar="NAME",
        help="algorithm, as `optlab list` names it (default: that of the model, or Adam)",
    )
    parser.add_argument(
        "--start", type=float, default=1e-7, metavar="RATE", help="first rate (default: 1e-7)"
    )
    parser.add_argument(
        "--end", type=float, default=10.0, metavar="RATE", help="last rate (default: 10)"
    )
    parser.add_argument(
        "--steps", type=two_or_more, default=100, metavar="N", help="updates (default: 100)"
    )
    parser.add_argument(
        "--batch-size", type=positive, default=32, metavar="N", help="rows a batch (default: 32)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("learning-rate.png"),
        metavar="FILE",
        help="picture to write (default: learning-rate.png)",
    )


def run(options: argparse.Namespace) -> int:
    """Train, print the suggestions, write the picture."""
    require(*LAB_PACKAGES)
    if options.out.suffix.lower() not in (".pdf", ".png", ".svg"):
        raise InputError(f"--out takes a .png, .svg or .pdf file. Received: {options.out}")
    if not options.out.parent.is_dir():
        raise InputError(f"cannot write to {options.out}: there is no folder {options.out.parent}")
    from keras_optlab.lab import find_learning_rate, network

    dataset = load(options)
    model = compiled(network.build(options.model, dataset, options.seed), dataset, options)
    network.set_seed(options.seed)
    try:
        found = find_learning_rate(
            model,
            dataset.x_train,
            dataset.y_train,
            start=options.start,
            end=options.end,
            steps=options.steps,
            batch_size=options.batch_size,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    try:
        found.plot(options.out)
    except OSError as error:
        raise InputError(f"cannot write to {options.out}: {error.strerror}") from None
    show(found, type(model.optimizer).__name__, dataset.name)
    print(f"Picture: {options.out}")
    return 0


def load(options: argparse.Namespace) -> "Dataset":
    """The user's data, or the digits."""
    from keras_optlab.lab import data

    is_function = options.data is not None and ":" in options.data
    if options.label is not None and (options.data is None or is_function):
        raise InputError("--label names a column of a file given as --data, which is missing")
    if options.data is None:
        return data.digits(options.seed)
    if is_function:
        # A model of the user's own takes the numbers as they are.
        return data.call(options.data, options.seed, standardize=options.model is None)
    return data.read(Path(options.data), options.label, options.seed)


def compiled(
    model: "keras.Model", dataset: "Dataset", options: argparse.Namespace
) -> "keras.Model":
    """The model with the optimizer that is asked for, or its own."""
    import keras

    from keras_optlab import optimizers
    from keras_optlab.lab import network

    if model.compiled and options.optimizer is None:
        return model
    names = pick([options.optimizer or "Adam"], optimizers.__all__, "optimizer")
    if len(names) > 1:
        raise InputError(f"--optimizer takes one name. Received: {', '.join(names)}")
    loss = (
        model.loss
        if model.compiled
        else keras.losses.SparseCategoricalCrossentropy(
            from_logits=network.gives_logits(model, dataset)
        )
    )
    model.compile(getattr(optimizers, names[0])(), loss)
    return model


def show(found: "LearningRateRange", optimizer: str, data: str) -> None:
    """Print the suggestions."""
    console = wide_console()
    console.print(f"{optimizer} on {data}: {len(found.losses)} steps at {found.tried()}")
    if not found.suggestions():
        console.print("No learning rate is suggested, since the loss fell at none of those tried.")
        return
    table = simple_table("Suggestion", "learning rate")
    for name, rate in found.suggestions().items():
        table.add_row(name, f"{rate:.3g}")
    console.print(table)
    console.print(f"Take {found.suggestion:.3g}, as in OneCycle({found.suggestion:.3g}).")
