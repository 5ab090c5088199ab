"""`optlab find-lr`: a learning rate for a model and data."""

import contextlib
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optlab.backend import start_lab
from optlab.options import Backend, BatchSize, Data, Json, Label, Model, Seed
from optlab.output import print_json, writing

if TYPE_CHECKING:
    import keras

    from keras_optlab.lab.data import Dataset


def find_lr(
    optimizer: Annotated[
        str | None,
        typer.Option(
            help="Algorithm, as `optlab list` names it.", show_default="that of the model, or Adam"
        ),
    ] = None,
    start: Annotated[float, typer.Option(help="The first rate.")] = 1e-7,
    end: Annotated[float, typer.Option(help="The last rate.")] = 10.0,
    steps: Annotated[int, typer.Option(min=2, help="Updates, at a rate each.")] = 100,
    batch_size: BatchSize = 32,
    data: Data = None,
    label: Label = None,
    model: Model = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Picture to write: a .png, .svg or .pdf file.")] = Path(
        "learning-rate.png"
    ),
    as_json: Json = False,
    backend: Backend = None,
) -> None:
    """Find a learning rate: train with rates from small to large and watch the loss.

    A model that its function compiles keeps its optimizer and loss.
    """
    check_file(out)
    start_lab(backend)
    from keras_optlab.lab import find_learning_rate, network
    from keras_optlab.lab.data import load
    from keras_optlab.lab.errors import InputError

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
    with writing(out):
        found.plot(out)
    if as_json:
        numbers = {"suggestion": found.valley, "picture": str(out)}
        print_json(dataclasses.asdict(found) | numbers)
    else:
        print(f"{type(trained.optimizer).__name__} on {dataset.name}: {found}\nPicture: {out}")


def check_file(path: Path) -> None:
    """Refuse a picture that could not be written, before any work is done for it."""
    if path.suffix.lower() not in (".pdf", ".png", ".svg"):
        message = f"expected a .png, .svg or .pdf file. Received: {path}"
        raise typer.BadParameter(message, param_hint="--out")
    if not path.parent.is_dir():
        raise typer.TyperException(f"cannot write to {path}: there is no folder {path.parent}")


def compiled(model: "keras.Model", dataset: "Dataset", optimizer: str | None) -> "keras.Model":
    """The model with the optimizer that is asked for, or the one it has."""
    from keras_optlab import optimizers
    from keras_optlab.lab.errors import pick_one
    from keras_optlab.lab.objective import Objective

    if model.compiled and optimizer is None:
        return model
    algorithm = getattr(optimizers, pick_one(optimizer or "Adam", optimizers.__all__, "optimizer"))
    loss = model.loss or Objective(model, dataset).loss_of(model)
    model.compile(algorithm(), loss)
    return model
