"""Claims 5 to 8: methods that divide each step by the size of the gradients."""

from typing import Any

import numpy as np
from keras import ops

from keras_optlab.lab.claims.descent import descend, sweep
from keras_optlab.lab.claims.evidence import Evidence, Measurement, steps_until
from keras_optlab.lab.claims.picture import LOG_BOTH, LOG_X, LOG_Y, Line, Panel, bars, lines
from keras_optlab.lab.claims.problems import SoftmaxRegression
from keras_optlab.optimizers import SGD, Adagrad, Adam, Adamax, Nadam, RMSprop

RARE = 10
# Claims 5 and 6: from here, down a cliff at x = 4, into a wide valley around 0.
CLIFF_START = 8.0
CLIFF_LEVELS = (("cliff", 4.0), ("valley", 0.0))
ADAGRAD_RATE = 0.1
# Claim 8: one gradient that is so much larger than the others.
SPIKE_STEP, SPIKE = 1000, 1000.0


def adagrad(steps: int = 2000, directions: int = 360) -> Evidence:
    """Claim 5: AdaGrad's larger steps for rare features, its direction, and its early stop."""
    rows = np.ones((steps, 2), "float32")
    rows[:, 1] = np.arange(1, steps + 1) % RARE == 0
    sizes = np.abs(np.diff(descend(Adagrad(0.1), [0.0, 0.0], lambda x, row: row, rows), axis=0))
    seen = np.arange(RARE, steps + 1, RARE)
    rare = float(sizes[seen[-1] - 1, 1] / sizes[seen[-1] - 1, 0])
    plain, plain_turned = (mean_angle(SGD(0.01), directions, turn) for turn in (0, 45))
    ours, ours_turned = (mean_angle(Adagrad(0.01), directions, turn) for turn in (0, 45))
    way = descend(Adagrad(ADAGRAD_RATE), [CLIFF_START], cliff_slope, steps)[:, 0]
    rates = np.geomspace(0.01, 10, 13)
    ends = sweep(Adagrad(1.0), rates, [CLIFF_START], cliff_slope).run(steps)[-1, :, 0]
    enough = float(rates[np.abs(ends) < 0.4].min(initial=np.inf))
    left = float(way[-1]) / CLIFF_START
    rare_name = "step of a feature seen 1 time in 10 / of one seen always"
    angle_name = "degrees off the optimum, first step, less those of gradient descent"
    turned_name = "the same in a bowl turned by 45 degrees"
    drawn = [
        Line("frequent: always", np.arange(1, steps + 1), sizes[:, 0]),
        Line(f"rare: 1 in {RARE}", seen, sizes[seen - 1, 1], style="marks"),
    ]
    angles = {"gradient descent": (plain, plain_turned), "AdaGrad": (ours, ours_turned)}
    cliff = lines({f"η = {ADAGRAD_RATE}": way})
    return Evidence(
        5,
        "AdaGrad gives rare features larger steps than frequent ones; points closer to the "
        "optimum in an elongated bowl; and stops too early.",
        (
            Measurement(rare_name, rare, ">", 3),
            Measurement(angle_name, ours - plain, "<", -10),
            Measurement(turned_name, ours_turned - plain_turned, "<", -10, expected=False),
            Measurement("part of the way left behind a cliff", left, ">", 0.2),
        ),
        f"A feature seen one time in {RARE} gets steps {rare:.2f} times as large (√10 = 3.16). "
        f"Over all starts the first step is {ours:.0f}° off the optimum, that of gradient descent "
        f"{plain:.0f}°. Not as claimed: in a bowl turned by 45° it is {ours_turned:.0f}° against "
        f"{plain_turned:.0f}°, since AdaGrad scales axes. After a cliff, with η = {ADAGRAD_RATE}, "
        f"{left:.0%} of the way is left after {steps:,} steps; a larger rate ({enough:.2g} and up) "
        "gets there, so it is the rate that must allow for the sum.",
        "Left: both steps shrink, the rare feature's stays above. Right: after the cliff at x = 4 "
        "AdaGrad slows to a crawl far from the valley at 0.",
        (
            Panel(
                "Step of a rare and of a frequent feature",
                "step",
                "size of the step",
                drawn,
                LOG_BOTH,
            ),
            Panel(
                "First step: how far off the optimum",
                "degrees, mean over starts all around",
                "",
                bars(angles),
                names=("bowl along\nthe axes", "turned\nby 45°"),
            ),
            Panel("AdaGrad after a cliff", "step", "x", cliff, levels=CLIFF_LEVELS),
        ),
    )


def mean_angle(optimizer: Any, directions: int, turn: float) -> float:
    """Degrees between a first step and the way to the optimum, over starts in all directions.

    The bowl is that of claim 4, with its axes turned by degrees.
    """
    around = 2 * np.pi * (np.arange(directions) + 0.5) / directions
    starts = np.stack([np.cos(around), np.sin(around)], axis=1) * 10
    turned = np.radians(turn)
    axes = np.array([[np.cos(turned), np.sin(turned)], [-np.sin(turned), np.cos(turned)]])
    curvature = ops.convert_to_tensor((axes.T @ np.diag([1, 50]) @ axes).astype("float32"))
    way = descend(optimizer, starts, lambda x, row: ops.matmul(x, curvature), 1)
    step = way[1].astype("float64") - starts
    cosine = -(step * starts).sum(axis=1) / np.linalg.norm(step, axis=1) / 10
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def cliff_slope(x: Any, row: Any) -> Any:
    """Gradient of 0.05 x² with a cliff at 4."""
    return 0.1 * x + 5 * ops.sigmoid(4 * (x - 4))


def rmsprop_goes_on(steps: int = 2000) -> Evidence:
    """Claim 6: RMSProp where AdaGrad has stopped."""
    ways = {
        name: descend(optimizer, [CLIFF_START], cliff_slope, steps)[:, 0]
        for name, optimizer in {"AdaGrad": Adagrad(ADAGRAD_RATE), "RMSProp": RMSprop(0.01)}.items()
    }
    sizes = {name: np.abs(np.diff(way)) for name, way in ways.items()}
    left = {name: abs(float(way[-1])) / CLIFF_START for name, way in ways.items()}
    # Long after the cliff, and while both are still on their way.
    later = 500
    ratio = sizes["RMSProp"] / sizes["AdaGrad"]
    shown = lines({name: size[:700] for name, size in sizes.items()}, np.arange(1, 701))
    return Evidence(
        6,
        "RMSProp goes on where AdaGrad has stopped.",
        (
            Measurement("part of the way left, RMSProp", left["RMSProp"], "<", 0.02),
            Measurement("part of the way left, AdaGrad", left["AdaGrad"], ">", 0.2),
            Measurement(f"step {later}, RMSProp / AdaGrad", float(ratio[later]), ">", 3),
        ),
        f"After {steps:,} steps RMSProp has {left['RMSProp']:.1%} of the way left and AdaGrad "
        f"{left['AdaGrad']:.0%}, though RMSProp's first step was {ratio[0]:.2g} times AdaGrad's: "
        f"at step {later} it is {ratio[later]:.1f} times AdaGrad's.",
        "Left: AdaGrad leads down the cliff and is then overtaken. Right: AdaGrad's step keeps "
        "shrinking, RMSProp's stays near its rate until it nears the valley.",
        (
            Panel("The way behind a cliff", "step", "x", lines(ways), levels=CLIFF_LEVELS),
            Panel("Size of the step", "step", "size of the step", shown, LOG_BOTH),
        ),
    )


def bias_correction(steps: int = 4000) -> Evidence:
    """Claim 7: the first step of Adam with and without bias correction."""
    rate, gradients = 0.01, np.array([0.01, 1.0, 100.0], "float32")
    off = (1 - 0.9) / (1 - 0.999) ** 0.5

    def sizes(optimizer: Adam) -> np.ndarray:
        way = descend(optimizer, [0.0] * 3, lambda x, row: ops.convert_to_tensor(gradients), steps)
        return np.abs(np.diff(way.astype("float64"), axis=0)) / rate

    corrected = sizes(Adam(rate, bias_correction="epsilon_hat"))
    raw = sizes(Adam(rate, bias_correction="none"))
    wrong, wrong_raw = np.abs(corrected[0] - 1).max(), np.abs(raw[0] / off - 1).max()
    corrected, raw = corrected[:, 1], raw[:, 1]
    peak = int(raw.argmax())
    return Evidence(
        7,
        "Adam's bias correction: first-step size η with it, off by (1−β₁)/√(1−β₂) without it.",
        (
            Measurement("first step with it, error relative to η", wrong, "<", 0.001),
            Measurement("without it, error relative to 3.162 η", wrong_raw, "<", 0.001),
        ),
        f"For gradients of {gradients[0]:g}, 1 and 100 the first step is {corrected[0]:.4f} η with "
        f"bias correction and {raw[0]:.4f} η without; (1−β₁)/√(1−β₂) = {off:.4f}. Without it the "
        f"step is even {raw[peak]:.1f} η at step {peak + 1}, and still {raw[999]:.2f} η at step "
        "1,000.",
        "The upper line starts at 3.2, climbs to its peak and needs thousands of steps to come "
        "down to the η that the other has from the first step.",
        (
            Panel(
                "Size of Adam's step, constant gradient",
                "step",
                "step / learning rate",
                lines({"with bias correction": corrected, "without": raw}, np.arange(1, steps + 1)),
                LOG_X,
                levels=[("(1−β₁)/√(1−β₂)", off)],
            ),
        ),
    )


def adamax_and_nadam(steps: int = 240, seeds: int = 8) -> Evidence:
    """Claim 8: AdaMax after a gradient spike, and Nadam against Adam over several seeds."""
    spike = np.ones((3000, 1), "float32")
    spike[SPIKE_STEP] = SPIKE
    sizes = {
        name: np.abs(np.diff(descend(optimizer, [0.0], lambda x, row: row, spike)[:, 0])) / 0.01
        for name, optimizer in {"Adam": Adam(0.01), "AdaMax": Adamax(0.01)}.items()
    }
    largest = {name: float(size[SPIKE_STEP:].max()) for name, size in sizes.items()}
    after = {name: float(size[SPIKE_STEP + 500]) for name, size in sizes.items()}
    rates = np.geomspace(0.01, 1.0, 13)
    races = {"bowl": bowl_race(rates, steps, seeds), "digits": digits_race(rates, steps, seeds)}
    same = {name: race["Nadam"][0] / race["Adam"][0] for name, race in races.items()}
    best = {name: race["Nadam"].min() / race["Adam"].min() for name, race in races.items()}
    bowl, digits = (lines(race, rates, style="dots") for race in races.values())
    best_name, same_name = (f"steps, Nadam / Adam, {rate}" for rate in ("best rates", "η = 0.01"))
    return Evidence(
        8,
        "AdaMax keeps its step bounded after a gradient spike; Nadam converges a little sooner "
        "than Adam.",
        (
            Measurement(
                "AdaMax's largest step after the spike, in η", largest["AdaMax"], "<", 1.01
            ),
            Measurement("Adam's", largest["Adam"], ">", 2),
            Measurement(f"{best_name}, digits", best["digits"], "<", 0.98),
            Measurement(f"{best_name}, bowl", best["bowl"], "<", 0.98, expected=False),
            Measurement(f"{same_name}, bowl", same["bowl"], "<", 1, expected=False),
            Measurement(f"{same_name}, digits", same["digits"], "<", 1, expected=False),
        ),
        f"After a gradient {SPIKE:.0f} times as large AdaMax's step is at most "
        f"{largest['AdaMax']:.2f} η and Adam's {largest['Adam']:.1f} η; but 500 steps later "
        f"AdaMax still takes only {after['AdaMax']:.4f} η, Adam {after['Adam']:.2f} η. Nadam is "
        f"sooner on the digits, with {best['digits']:.2f} of Adam's steps if each has its best "
        f"rate. Not as claimed: on a bowl without noise it needs {best['bowl']:.2f} times Adam's, "
        f"and at the same small η = 0.01 {same['bowl']:.2f} times on the bowl, "
        f"{same['digits']:.2f} times on the digits.",
        "Left: at the spike Adam's line jumps up and AdaMax's does not; then both creep. The "
        "others show steps for each learning rate, lowest is best: on the bowl Nadam's lowest "
        "point is above Adam's, on the digits it is below, at a larger rate.",
        (
            Panel(
                "Step before and after a spike",
                "step",
                "step / learning rate",
                lines({name: size[900:2000] for name, size in sizes.items()}, np.arange(900, 2000)),
                LOG_Y,
                levels=[("η", 1.0)],
            ),
            Panel("A bowl", "learning rate", "steps to the target", bowl, LOG_BOTH),
            Panel(
                "Digits, softmax regression",
                "learning rate",
                "steps to the target",
                digits,
                LOG_BOTH,
            ),
        ),
    )


RACERS = {"Adam": Adam, "Nadam": Nadam}


def bowl_race(rates: np.ndarray, steps: int, seeds: int) -> dict[str, np.ndarray]:
    """Mean number of steps to a thousandth of the height of a bowl, to stay, at each rate."""
    curvature = np.geomspace(1, 1000, 20).astype("float32")
    starts = np.random.default_rng(0).normal(size=(8 * seeds, 20))
    goal = 1e-3 * (curvature * starts**2).sum(axis=-1)
    slope = ops.convert_to_tensor(curvature)
    found = {}
    for name, make in RACERS.items():
        way = sweep(make(1.0), rates, starts, lambda x, row: slope * x).run(3 * steps)
        losses = (curvature * way.astype("float64") ** 2).sum(axis=-1)
        found[name] = 1 + np.minimum(steps_until(losses, goal), 3 * steps).mean(axis=1)
    return found


def digits_race(rates: np.ndarray, steps: int, seeds: int) -> dict[str, np.ndarray]:
    """Mean number of steps until softmax regression on the digits has a validation loss of 0.25."""
    task = SoftmaxRegression(seed=0)
    batches = task.batches(steps, seeds, seed=1)
    start = np.zeros((seeds, *task.shape))
    found = {}
    for name, make in RACERS.items():
        losses = sweep(make(1.0), rates, start, task.gradient, task.validation_loss).run(batches)
        reached = losses < 0.25
        first = np.where(reached.any(axis=0), reached.argmax(axis=0) + 1, steps)
        found[name] = first.mean(axis=1)
    return found
