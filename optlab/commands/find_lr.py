"""`optlab find-lr`: find a learning rate for a model and data."""

import contextlib
import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer

from optlab.backend import start_lab
from optlab.options import Backend, BatchSize, Data, Json, Label, Model, Seed
from optlab.output import print_json, writing


def find_lr(
    optimizer: Annotated[
        str | None,
        typer.Option(
            help="Algorithm, named as in `optlab list`.", show_default="the model's, or Adam"
        ),
    ] = None,
    start: Annotated[float, typer.Option(help="First learning rate.")] = 1e-7,
    end: Annotated[float, typer.Option(help="Last learning rate.")] = 10.0,
    steps: Annotated[int, typer.Option(min=2, help="Number of updates, at rising rates.")] = 100,
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

    A compiled model keeps its loss, and its optimizer unless `--optimizer` is given.
    """
    if out.suffix.lower() not in (".pdf", ".png", ".svg"):
        message = f"expected a .png, .svg or .pdf file. Received: {out}"
        raise typer.BadParameter(message, param_hint="--out")
    if not out.parent.is_dir():
        raise typer.TyperException(f"cannot write to {out}: there is no folder {out.parent}")
    start_lab(backend)
    from keras_optlab import optimizers
    from keras_optlab.lab import find_learning_rate, network
    from keras_optlab.lab.data import load
    from keras_optlab.lab.errors import InputError, pick_one
    from keras_optlab.lab.objective import Objective

    with contextlib.redirect_stdout(sys.stderr):
        dataset = load(data, label, seed, standardize=model is None)
        trained = network.build(model, dataset, seed)
        if optimizer or not trained.compiled:
            name = pick_one(optimizer or "Adam", optimizers.__all__, "optimizer")
            loss = trained.loss or Objective(trained, dataset).loss_of(trained)
            trained.compile(getattr(optimizers, name)(), loss)
        network.set_seed(seed)
        rates = {"start": start, "end": end, "steps": steps}
        try:
            found = find_learning_rate(
                trained, dataset.x_train, dataset.y_train, batch_size=batch_size, **rates
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
