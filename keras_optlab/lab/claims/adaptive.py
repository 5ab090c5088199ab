"""Claims 5 to 8: methods that divide each step by the size of the gradients."""

from typing import Any

import numpy as np
from keras import ops

from keras_optlab.lab import data
from keras_optlab.lab.claims.descent import Descent, descend
from keras_optlab.lab.claims.evidence import Found, Measurement, claim, steps_until
from keras_optlab.lab.claims.picture import LOG_BOTH, LOG_X, LOG_Y, Line, Panel, bars, lines
from keras_optlab.optimizers import SGD, Adagrad, Adam, Adamax, Nadam, RMSprop

# Claims 5 and 6: start here, go down a cliff at x = 4 and into a wide valley around 0.
CLIFF_START = np.array([8.0])
CLIFF_LEVELS = (("cliff", 4.0), ("valley", 0.0))


def cliff_slope(x: Any, row: Any) -> Any:
    """Return the gradient of 0.05 x² with a cliff at x = 4."""
    return 0.1 * x + 5 * ops.sigmoid(4 * (x - 4))


def step_sizes(optimizer: Any, rows: np.ndarray) -> np.ndarray:
    """Return the size of each step for given gradients, one row per step."""
    start = np.zeros(rows.shape[1])
    return np.abs(np.diff(descend(optimizer, start, lambda x, row: row, rows), axis=0))


@claim(5)
def adagrad(steps: int = 2000, directions: int = 360) -> Found:
    """AdaGrad gives rare features larger steps than frequent ones; points closer to the optimum in
    an elongated bowl; and stops too early.
    """
    rows = np.ones((steps, 2), "float32")
    rows[:, 1] = np.arange(1, steps + 1) % 10 == 0
    sizes, seen = step_sizes(Adagrad(0.1), rows), np.arange(10, steps + 1, 10)
    rare = float(sizes[seen[-1] - 1, 1] / sizes[seen[-1] - 1, 0])
    plain, plain_turned = (mean_angle(SGD(0.01), directions, turn) for turn in (0, 45))
    ours, ours_turned = (mean_angle(Adagrad(0.01), directions, turn) for turn in (0, 45))
    way = descend(Adagrad(0.1), CLIFF_START, cliff_slope, steps)[:, 0]
    left = float(way[-1] / CLIFF_START[0])
    rates = np.geomspace(0.01, 10, 13)
    ends = Descent(Adagrad(1.0), CLIFF_START, cliff_slope, rates=rates).run(steps)[-1, :, 0]
    enough = float(rates[np.abs(ends) < 0.4].min(initial=np.inf))
    angle_name = "degrees off the optimum, first step, less those of gradient descent"
    turned, turned_name = ours_turned - plain_turned, "the same in a bowl turned by 45 degrees"
    drawn = lines({"frequent: always": sizes[:, 0]}, 1)
    drawn.append(Line("rare: 1 in 10", seen, sizes[seen - 1, 1], style="marks"))
    angles = bars({"gradient descent": [plain, plain_turned], "AdaGrad": [ours, ours_turned]})
    axes = "First step: how far off the optimum", "degrees, mean over starts all around", ""
    names, cliff = ("bowl along\nthe axes", "turned\nby 45°"), lines({"η = 0.1": way})
    rare_title = "Step of a rare and of a frequent feature"
    return (
        Measurement("step of a feature seen 1 time in 10 / of one seen always", rare, ">", 3),
        Measurement(angle_name, ours - plain, "<", -10),
        Measurement(turned_name, turned, "<", -10, expected=False),
        Measurement("part of the way left behind a cliff", left, ">", 0.2),
        f"A feature seen one time in 10 gets steps {rare:.2f} times as large (√10 = 3.16). Over "
        f"all starts the first step is {ours:.0f}° off the optimum, that of gradient descent "
        f"{plain:.0f}°. Not as claimed: in a bowl turned by 45° it is {ours_turned:.0f}° against "
        f"{plain_turned:.0f}°, since AdaGrad scales axes. After a cliff, with η = 0.1, {left:.0%} "
        f"of the way is left after {steps:,} steps; a larger rate ({enough:.2g} and up) gets "
        "there, so it is the rate that must allow for the sum.",
        "Left: both steps shrink, the rare feature's stays above. Right: after the cliff at x = 4 "
        "AdaGrad slows to a crawl far from the valley at 0.",
        Panel(rare_title, "step", "size of the step", drawn, LOG_BOTH),
        Panel(*axes, angles, names=names),
        Panel("AdaGrad after a cliff", "step", "x", cliff, levels=CLIFF_LEVELS),
    )


def mean_angle(optimizer: Any, directions: int, turn: float) -> float:
    """Return the mean angle in degrees between the first step and the direction to the optimum.

    The mean is over starts in all directions. The bowl is that of claim 4, with its axes rotated
    by `turn` degrees.
    """
    around = 2 * np.pi * (np.arange(directions) + 0.5) / directions
    starts = np.stack([np.cos(around), np.sin(around)], axis=1) * 10
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    axes = np.array([[cosine, sine], [-sine, cosine]])
    curvature = ops.convert_to_tensor((axes.T @ np.diag([1, 50]) @ axes).astype("float32"))
    way = descend(optimizer, starts, lambda x, row: ops.matmul(x, curvature), 1)
    step = way[1].astype("float64") - starts
    cosines = -(step * starts).sum(axis=1) / np.linalg.norm(step, axis=1) / 10
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean())


@claim(6)
def rmsprop_goes_on(steps: int = 2000) -> Found:
    """RMSProp goes on where AdaGrad has stopped."""
    optimizers = {"AdaGrad": Adagrad(0.1), "RMSProp": RMSprop(0.01)}
    ways = {
        name: descend(optimizer, CLIFF_START, cliff_slope, steps)[:, 0]
        for name, optimizer in optimizers.items()
    }
    adagrad, rmsprop = (float(abs(way[-1]) / CLIFF_START[0]) for way in ways.values())
    sizes = {name: np.abs(np.diff(way)) for name, way in ways.items()}
    ratio = sizes["RMSProp"] / sizes["AdaGrad"]
    shown = lines({name: size[:700] for name, size in sizes.items()}, 1)
    return (
        Measurement("part of the way left, RMSProp", rmsprop, "<", 0.02),
        Measurement("part of the way left, AdaGrad", adagrad, ">", 0.2),
        # Well past the cliff, while both are still moving.
        Measurement("step 500, RMSProp / AdaGrad", float(ratio[500]), ">", 3),
        f"After {steps:,} steps RMSProp has {rmsprop:.1%} of the way left and AdaGrad "
        f"{adagrad:.0%}, though RMSProp's first step was {ratio[0]:.2g} times AdaGrad's: at step "
        f"500 it is {ratio[500]:.1f} times AdaGrad's.",
        "Left: AdaGrad leads down the cliff and is then overtaken. Right: AdaGrad's step keeps "
        "shrinking, RMSProp's stays near its rate until it nears the valley.",
        Panel("The way behind a cliff", "step", "x", lines(ways), levels=CLIFF_LEVELS),
        Panel("Size of the step", "step", "size of the step", shown, LOG_BOTH),
    )


@claim(7)
def bias_correction(steps: int = 4000) -> Found:
    """Adam's bias correction: first-step size η with it, off by (1−β₁)/√(1−β₂) without it."""
    off = (1 - 0.9) / (1 - 0.999) ** 0.5
    rows = np.tile(np.array([0.01, 1.0, 100.0], "float32"), (steps, 1))

    def sizes(correction: Any) -> np.ndarray:
        ways = descend(Adam(0.01, bias_correction=correction), [0.0] * 3, lambda x, row: row, rows)
        return np.abs(np.diff(ways.astype("float64"), axis=0)) / 0.01

    corrected, raw = sizes("epsilon_hat"), sizes("none")
    wrong, wrong_raw = np.abs(corrected[0] - 1).max(), np.abs(raw[0] / off - 1).max()
    corrected, raw = corrected[:, 1], raw[:, 1]
    peak = int(raw.argmax())
    shown = lines({"with bias correction": corrected, "without": raw}, 1)
    axes = "Size of Adam's step, constant gradient", "step", "step / learning rate"
    return (
        Measurement("first step with it, error relative to η", wrong, "<", 0.001),
        Measurement("without it, error relative to 3.162 η", wrong_raw, "<", 0.001),
        f"For gradients of 0.01, 1 and 100 the first step is {corrected[0]:.4f} η with bias "
        f"correction and {raw[0]:.4f} η without; (1−β₁)/√(1−β₂) = {off:.4f}. Without it the step "
        f"is even {raw[peak]:.1f} η at step {peak + 1}, and still {raw[999]:.2f} η at step 1,000.",
        "The upper line starts at 3.2, climbs to its peak and needs thousands of steps to come "
        "down to the η that the other has from the first step.",
        Panel(*axes, shown, LOG_X, levels=[("(1−β₁)/√(1−β₂)", off)]),
    )


@claim(8)
def adamax_and_nadam(steps: int = 240, seeds: int = 8) -> Found:
    """AdaMax keeps its step bounded after a gradient spike; Nadam converges a little sooner than
    Adam.
    """
    rows = np.ones((3000, 1), "float32")
    rows[1000] = 1000
    spike = {
        name: step_sizes(optimizer, rows)[:, 0] / 0.01
        for name, optimizer in {"Adam": Adam(0.01), "AdaMax": Adamax(0.01)}.items()
    }
    adam, adamax = (float(size[1000:].max()) for size in spike.values())
    adam_later, adamax_later = (float(size[1500]) for size in spike.values())
    rates, racers = np.geomspace(0.01, 1.0, 13), {"Adam": Adam, "Nadam": Nadam}
    races = [
        {name: race(make(1.0), rates, steps, seeds) for name, make in racers.items()}
        for race in (bowl_race, digits_race)
    ]
    bowl_same, digits_same = (race["Nadam"][0] / race["Adam"][0] for race in races)
    bowl_best, digits_best = (race["Nadam"].min() / race["Adam"].min() for race in races)
    best_name, same_name = (f"steps, Nadam / Adam, {rate}" for rate in ("best rates", "η = 0.01"))
    jump = lines({name: size[900:2000] for name, size in spike.items()}, 900)
    axes = "Step before and after a spike", "step", "step / learning rate"
    bowl, digits = (lines(race, rates, "dots") for race in races)
    race_axes = "learning rate", "steps to the target"
    return (
        Measurement("AdaMax's largest step after the spike, in η", adamax, "<", 1.01),
        Measurement("Adam's", adam, ">", 2),
        Measurement(f"{best_name}, digits", digits_best, "<", 0.98),
        Measurement(f"{best_name}, bowl", bowl_best, "<", 0.98, expected=False),
        Measurement(f"{same_name}, bowl", bowl_same, "<", 1, expected=False),
        Measurement(f"{same_name}, digits", digits_same, "<", 1, expected=False),
        f"After a gradient 1000 times as large AdaMax's step is at most {adamax:.2f} η and Adam's "
        f"{adam:.1f} η; but 500 steps later AdaMax still takes only {adamax_later:.4f} η, Adam "
        f"{adam_later:.2f} η. Nadam is sooner on the digits, with {digits_best:.2f} of Adam's "
        "steps if each has its best rate. Not as claimed: on a bowl without noise it needs "
        f"{bowl_best:.2f} times Adam's, and at the same small η = 0.01 {bowl_same:.2f} times on "
        f"the bowl, {digits_same:.2f} times on the digits.",
        "Left: at the spike Adam's line jumps up and AdaMax's does not; then both creep. The "
        "others show steps for each learning rate, lowest is best: on the bowl Nadam's lowest "
        "point is above Adam's, on the digits it is below, at a larger rate.",
        Panel(*axes, jump, LOG_Y, levels=[("η", 1.0)]),
        Panel("A bowl", *race_axes, bowl, LOG_BOTH),
        Panel("Digits, softmax regression", *race_axes, digits, LOG_BOTH),
    )


def bowl_race(optimizer: Any, rates: np.ndarray, steps: int, seeds: int) -> np.ndarray:
    """Return the mean number of steps, per rate, until the loss stays below 1/1000 of its start."""
    curvature = np.geomspace(1, 1000, 20).astype("float32")
    starts = np.random.default_rng(0).normal(size=(8 * seeds, 20))
    goal = 1e-3 * (curvature * starts**2).sum(axis=-1)
    slope = ops.convert_to_tensor(curvature)
    way = Descent(optimizer, starts, lambda x, row: slope * x, rates=rates).run(3 * steps)
    losses = (curvature * way.astype("float64") ** 2).sum(axis=-1)
    return 1 + np.minimum(steps_until(losses, goal), 3 * steps).mean(axis=1)


def digits_race(optimizer: Any, rates: np.ndarray, steps: int, seeds: int) -> np.ndarray:
    """Return the mean number of steps, per rate, to a validation loss of 0.25 on the digits.

    The model is softmax regression.
    """
    digits = data.digits(0)
    classes = np.eye(10, dtype="float32")
    y, y_validation = classes[digits.y_train], classes[digits.y_validation]
    # A constant feature stands in for the bias.
    x, x_validation = (
        np.pad(features, ((0, 0), (0, 1)), constant_values=1)
        for features in (digits.x_train, digits.x_validation)
    )
    batches = np.random.default_rng(1).integers(0, len(y), (steps, seeds, 32)).astype("int32")

    def gradient(matrices: Any, batch: Any) -> Any:
        seen = ops.take(x, batch, axis=0)
        error = ops.softmax(ops.matmul(seen, matrices)) - ops.take(y, batch, axis=0)
        return ops.matmul(ops.swapaxes(seen, 1, 2), error) / 32

    def validation_loss(matrices: Any) -> Any:
        logs = ops.log_softmax(ops.matmul(x_validation, matrices))
        return -ops.mean(ops.sum(logs * y_validation, axis=-1), axis=-1)

    start = np.zeros((seeds, x.shape[1], len(classes)))
    reached = Descent(optimizer, start, gradient, validation_loss, rates).run(batches) < 0.25
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1, steps).mean(axis=1)
