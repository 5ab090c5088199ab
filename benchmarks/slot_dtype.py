"""Whether training gets as far with bfloat16 slots: a small network on scikit-learn's digits.

python -m benchmarks.slot_dtype --backend jax
"""

import dataclasses
from typing import final

import keras
import numpy as np

from benchmarks import backend, figures, options
from benchmarks.contenders import OURS, Case
from benchmarks.report import Report
from keras_optlab.lab import data
from keras_optlab.lab.contenders import LEARNING_RATES

FULL, REDUCED = "float32", "bfloat16"
SLOT_DTYPES = {FULL: {}, REDUCED: {"slot_dtype": REDUCED}}
DEFAULT_CASES = ["Adam", "AdamW", "SGD momentum", "Lion", "RMSprop", "Adamax"]
HIDDEN_UNITS = 128
BATCH_SIZE = 32


@final
@dataclasses.dataclass(frozen=True)
class Curve:
    """Validation results after each epoch, one row per seed."""

    loss: list[list[float]]
    accuracy: list[list[float]]


def main() -> None:
    """Train and report."""
    parser = options.parser("slot_dtype", "Training with slots in bfloat16.", rounds=3)
    options.add_count(parser, "--epochs", 20, "epochs")
    options.add_cases(parser, DEFAULT_CASES)
    chosen = options.parse(parser)
    results = {
        case.name: {
            dtype: trained(case, dtype, chosen.rounds, chosen.epochs) for dtype in SLOT_DTYPES
        }
        for case in chosen.cases
    }
    report = Report(
        key=("slot_dtype", backend.NAME),
        title=f"Digits, 64-{HIDDEN_UNITS}-10 network, {chosen.epochs} epochs, {backend.NAME}",
        columns=[
            "case",
            *(f"validation accuracy\n{dtype} slots" for dtype in SLOT_DTYPES),
            *(f"validation loss\n{dtype} slots" for dtype in SLOT_DTYPES),
        ],
        rows=[
            [
                name,
                *(final_value(pair[dtype].accuracy, ".2%") for dtype in SLOT_DTYPES),
                *(final_value(pair[dtype].loss, ".4f") for dtype in SLOT_DTYPES),
            ]
            for name, pair in results.items()
        ],
        notes=[f"Means of {chosen.rounds} seeds after the last epoch, with lowest and highest."],
        data={
            name: {dtype: dataclasses.asdict(curve) for dtype, curve in pair.items()}
            for name, pair in results.items()
        },
    )
    panels = [panel(name, pair, chosen.epochs) for name, pair in results.items()]
    figures.draw_lines(panels, report.file(chosen.out, ".png"), columns=min(3, len(panels)))
    report.publish(chosen)


def trained(case: Case, slot_dtype: str, seeds: int, epochs: int) -> Curve:
    """Train once with each seed."""
    histories = [train(case, slot_dtype, seed, epochs) for seed in range(seeds)]
    return Curve(
        loss=[history["val_loss"] for history in histories],
        accuracy=[history["val_accuracy"] for history in histories],
    )


def train(case: Case, slot_dtype: str, seed: int, epochs: int) -> dict[str, list[float]]:
    """Train a new network; the same seed gives the same weights and batches."""
    digits = data.digits(seed)
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((digits.x_train.shape[1],)),
            keras.layers.Dense(HIDDEN_UNITS, "relu"),
            keras.layers.Dense(len(digits.classes)),
        ]
    )
    rate = LEARNING_RATES[case.class_name]
    optimizer = case.make(OURS, learning_rate=rate, **SLOT_DTYPES[slot_dtype])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    history = model.fit(
        digits.x_train,
        digits.y_train,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        validation_data=(digits.x_validation, digits.y_validation),
        verbose=0,
    )
    return history.history


def final_value(curves: list[list[float]], form: str) -> str:
    """Format the mean, lowest and highest of the last values as a cell."""
    last = [curve[-1] for curve in curves]
    return f"{np.mean(last):{form}} ({min(last):{form}}–{max(last):{form}})"


def panel(name: str, pair: dict[str, Curve], epochs: int) -> figures.Lines:
    """Return the panel of one case's validation losses."""
    losses = {dtype: np.array(curve.loss) for dtype, curve in pair.items()}
    return figures.Lines(
        title=name,
        x_label="epoch",
        y_label="validation loss",
        x=range(1, epochs + 1),
        series={dtype: loss.mean(axis=0) for dtype, loss in losses.items()},
        spreads={dtype: (loss.min(axis=0), loss.max(axis=0)) for dtype, loss in losses.items()},
    )


if __name__ == "__main__":
    main()
