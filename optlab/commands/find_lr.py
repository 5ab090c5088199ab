"""`optlab find-lr`: a learning rate for a model and data."""

import contextlib
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optlab.backend import start_keras
from optlab.data import load
from optlab.options import Backend, BatchSize, Data, Json, Label, Model, Seed

if TYPE_CHECKING:
    import keras

    from keras_optlab.lab import LearningRateRange
    from keras_optlab.lab.data import Dataset

FORMATS = (".pdf", ".png", ".svg")


def find_lr(
    optimizer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Algorithm, as `optlab list` names it.",
            show_default="that of the model, or Adam",
        ),
    ] = None,
    start: Annotated[float, typer.Option(metavar="RATE", help="The first rate.")] = 1e-7,
    end: Annotated[float, typer.Option(metavar="RATE", help="The last rate.")] = 10.0,
    steps: Annotated[int, typer.Option(min=2, metavar="N", help="Updates, at a rate each.")] = 100,
    batch_size: BatchSize = 32,
    data: Data = None,
    label: Label = None,
    model: Model = None,
    seed: Seed = 0,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Picture to write: a .png, .svg or .pdf file.")
    ] = Path("learning-rate.png"),
    as_json: Json = False,
    backend: Backend = None,
) -> None:
    """Find a learning rate: train with rates from small to large and watch the loss.

    A model that its function compiles keeps its optimizer and loss.
    """
    check_file(out)
    start_keras(backend)
    from keras_optlab.lab import find_learning_rate, network
    from keras_optlab.lab.errors import InputError
    from keras_optlab.lab.terminal import print_json, require_lab

    require_lab()
    with contextlib.redirect_stdout(sys.stderr):
        dataset = load(data, label, seed, standardize=model is None)
        trained = compiled(network.build(model, dataset, seed), dataset, optimizer)
        network.set_seed(seed)
        try:
            found = find_learning_rate(
                trained,
                dataset.x_train,
                dataset.y_train,
                start=start,
                end=end,
                steps=steps,
                batch_size=batch_size,
            )
        except ValueError as error:
            raise InputError(str(error)) from error
    try:
        found.plot(out)
    except OSError as error:
        raise InputError(f"cannot write to {out}: {error.strerror}") from None
    if as_json:
        print_json(as_numbers(found, out))
    else:
        show(found, type(trained.optimizer).__name__, dataset.name)
        print(f"Picture: {out}")


def check_file(path: Path) -> None:
    """Refuse a picture that could not be written, before any work is done for it."""
    if path.suffix.lower() not in FORMATS:
        message = f"expected a .png, .svg or .pdf file. Received: {path}"
        raise typer.BadParameter(message, param_hint="--out")
    if not path.parent.is_dir():
        raise typer.TyperException(f"cannot write to {path}: there is no folder {path.parent}")


def compiled(model: "keras.Model", dataset: "Dataset", optimizer: str | None) -> "keras.Model":
    """The model with the optimizer that is asked for, or its own."""
    import keras

    from keras_optlab import optimizers
    from keras_optlab.lab import network
    from keras_optlab.lab.errors import InputError, pick

    if model.compiled and optimizer is None:
        return model
    names = pick([optimizer or "Adam"], optimizers.__all__, "optimizer")
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


def as_numbers(found: "LearningRateRange", picture: Path) -> dict[str, Any]:
    """What JSON says of a range test."""
    return dataclasses.asdict(found) | {"suggestion": found.valley, "picture": str(picture)}


def show(found: "LearningRateRange", optimizer: str, data: str) -> None:
    """Print the suggestions."""
    from keras_optlab.lab.terminal import simple_table, wide_console

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
