"""Claims 11, 12 and 14: the learning rate, schedules of it, and reducing it on a plateau."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab import schedules
from keras_optlab.callbacks import PerformanceScheduling
from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.lab.claims.descent import Descent
from keras_optlab.lab.claims.evidence import Found, Measurement, claim, steps_until
from keras_optlab.lab.claims.picture import LOG_BOTH, LOG_Y, Line, Panel, lines
from keras_optlab.optimizers import SGD

# Schedules whose rate is not small when training ends.
NOT_LOWER = ("warmup, then constant", "restarts, stopped within a cycle")


@claim(11)
def largest_rate(curvature: float = 4.0, steps: int = 2000) -> Found:
    """A learning rate above 2/L diverges on a quadratic of curvature L; one far below needs steps
    in inverse proportion.
    """
    limit = 2 / curvature
    shares = np.array([0.00125, 0.0025, 0.005, 0.01, 0.05, 0.4, 0.9, 0.99, 1.01, 1.1])
    start = np.array([1.0])
    descent = Descent(SGD(1.0), start, lambda x, row: curvature * x, rates=shares * limit)
    ways = np.abs(descent.run(steps)[..., 0])
    diverged = ~(ways[-1] < 1)
    highest, lowest = shares[~diverged].max(), shares[diverged].min()
    needed = 1 + steps_until(ways, 0.01)
    # Steps times rate, at the smallest rate and at eight times that.
    inverse = needed[0] * shares[0] / (needed[3] * shares[3])
    shown = {
        share: np.maximum(ways[:60, 4 + place], 1e-9) for place, share in enumerate(shares[4:])
    }
    distances = lines(shown, 1, label="{:g} × 2/L")
    drawn = [
        Line("measured", shares[~diverged], needed[~diverged], style="dots"),
        Line("in inverse proportion", shares, needed[0] * shares[0] / shares),
    ]
    inverse_name = "steps × rate, at 1/8 of a rate / at the rate"
    axes = "Steps to a hundredth of the distance", "learning rate × L / 2", "steps"
    return (
        [
            Measurement("largest rate that converges, in 2/L", highest, ">", 0.98),
            Measurement("smallest rate that diverges, in 2/L", lowest, "<", 1.02),
            Measurement(inverse_name, abs(inverse - 1), "<", 0.03),
        ],
        f"Between 0.99 and 1.01 times 2/L = {limit:g} convergence turns into divergence. One "
        f"eighth of a small rate needs {needed[0] / needed[3]:.2f} times the steps. Near 2/L that "
        "is no longer so: the error then swings from side to side and shrinks slowly.",
        "Left: the lines above 2/L go up, all others down, quickest the one nearest to 1/L, "
        "half of the limit. Right: on the left the points lie on a straight line, twice the "
        "rate, half the steps.",
        [
            Panel("Distance to the minimum", "step", "distance", distances, LOG_Y, (1e-4, 1e3)),
            Panel(*axes, drawn, LOG_BOTH),
        ],
    )


class NoisyBowl:
    """½ Σ c x² in 20 directions, whose gradient has noise of variance c in each.

    The curvatures c lie between `smallest` and 1. Each seed has a start and a noise; `distance` is
    the spread of the starts in units of 1 / √c.

    Source: Zhang et al., 2019, "Which Algorithmic Choices Matter at Which Batch Sizes?" (the noisy
    quadratic model).
    """

    def __init__(
        self, steps: int, seeds: int, smallest: float = 0.01, distance: float = 1.0
    ) -> None:
        random = np.random.default_rng(0)
        curvature = np.geomspace(smallest, 1, 20).astype("float32")
        self.noise = random.normal(size=(steps, seeds, 20)).astype("float32")
        self.start = distance * random.normal(size=(seeds, 20)) / np.sqrt(curvature)
        self.curvature, self.deviation = map(ops.convert_to_tensor, (curvature, np.sqrt(curvature)))

    def gradient(self, x: Any, noise: Any) -> Any:
        """The gradient with the noise of a step."""
        return self.curvature * x + self.deviation * noise

    def loss(self, x: Any) -> Any:
        """The height without noise, of each seed."""
        return 0.5 * ops.sum(self.curvature * ops.square(x), axis=-1)

    def descent(self, rate: Any, rates: np.ndarray | None = None) -> Descent:
        """Gradient descent, which observes the loss."""
        return Descent(SGD(rate), self.start, self.gradient, self.loss, rates)

    def train(
        self, descent: Descent, rate: float, epoch: int, callback: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Losses of each step, and the rate of each epoch, from a rate that the callback changes."""
        descent.restart(learning_rate=rate)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(descent.optimizer, loss="mse")
        callback.set_model(model)
        callback.on_train_begin()
        losses, rates = [], []
        for number, start in enumerate(range(0, len(self.noise), epoch)):
            callback.on_epoch_begin(number)
            rates.append(float(to_numpy(descent.optimizer.learning_rate)))
            losses.append(descent.run(self.noise[start : start + epoch]))
            callback.on_epoch_end(number, {"loss": float(losses[-1].mean())})
        return np.concatenate(losses), np.array(rates)


def performance() -> PerformanceScheduling:
    """The callback of claims 12 and 14."""
    return PerformanceScheduling("loss", factor=0.2, patience=2, mode="min", min_delta=0.0)


@claim(12)
def every_schedule(steps: int = 1400, seeds: int = 16) -> Found:
    """Every schedule ends lower than the best constant rate on a noisy problem."""
    # Each gets the same sweep of its highest rate. `PerformanceScheduling` sees the mean loss of
    # the seeds, which it reduces together. The steps are a multiple of 140.
    bowl, rates = NoisyBowl(steps, seeds), np.geomspace(0.03, 1.95, 13)
    final = {
        name: np.nan_to_num(bowl.descent(schedule, rates).run(bowl.noise)[-1], nan=np.inf)
        for name, schedule in tried(steps).items()
    }
    descent = bowl.descent(1.0)
    watched = [bowl.train(descent, rate, 70, performance())[0][-1] for rate in rates]
    final["performance (callback)"] = np.array(watched)
    means = {name: losses.mean(axis=1) for name, losses in final.items()}
    best = {name: losses[means[name].argmin()] for name, losses in final.items()}
    constant = best.pop("constant").mean()
    ratio = {name: float(losses.mean() / constant) for name, losses in best.items()}
    order = sorted(ratio, key=ratio.__getitem__)
    lower = [ratio[name] for name in order if name not in NOT_LOWER]
    failing = [f"{name} ends at {ratio[name]:.2f} times" for name in order if name in NOT_LOWER]
    values = np.array([ratio[name] for name in order])
    # Two standard errors over the seeds, of the mean of a schedule.
    wide = np.array([2 * np.std(best[name] / constant) / seeds**0.5 for name in order])
    bars = Line("", values, np.arange(len(order)), (values - wide, values + wide))
    swept = ("constant", "cosine", "exponential", "1cycle", "warmup, then constant")
    curves = lines({name: means[name] for name in swept}, rates, "dots")
    axes = "Final loss, best rate for each", "final loss / that of the best constant rate", ""
    swept_axes = "highest learning rate", "final loss, mean over seeds"
    limits = (0.15 * values[0] * constant, 30 * constant)
    return (
        [
            Measurement(
                f"final loss, {name} / constant", ratio[name], "<", 1, name not in NOT_LOWER
            )
            for name in order
        ],
        f"The best constant rate ends at a loss of {constant:.3f}. Schedules that end on a small "
        f"rate reach {lower[0]:.2f} to {lower[-1]:.2f} times that. Not as claimed: "
        f"{'; '.join(failing)}. What counts is that the rate is small when training ends.",
        "Each bar is the final loss in units of the best constant rate's: shorter than 1 is "
        "better. The thin lines span two standard errors either way over the seeds.",
        [
            Panel(*axes, [bars], names=order),
            Panel("Final loss for each highest rate", *swept_axes, curves, LOG_BOTH, limits),
        ],
    )


def tried(steps: int) -> dict[str, Any]:
    """The schedules, with 1 as their highest rate; all but two end on a small rate."""
    pieces, warmup = [steps // 2, 3 * steps // 4], steps // 10
    cosine = schedules.CosineDecay(1.0, steps - warmup)
    return {
        "constant": 1.0,
        "power": schedules.PowerDecay(1.0, steps / 20),
        "exponential": schedules.ExponentialDecay(1.0, steps, 0.01),
        "piecewise constant": schedules.PiecewiseConstantDecay(pieces, [1.0, 0.1, 0.01]),
        "inverse time": schedules.InverseTimeDecay(1.0, steps / 10, 1.0),
        "polynomial": schedules.PolynomialDecay(1.0, steps, 0.0),
        "cosine": schedules.CosineDecay(1.0, steps),
        # Cycles of 1, 2 and 4 sevenths end with the training; those of 1, 2 and 4 quarters not.
        "restarts": schedules.CosineDecayRestarts(1.0, steps // 7, 2.0),
        "restarts, stopped within a cycle": schedules.CosineDecayRestarts(1.0, steps // 4, 2.0),
        "1cycle": schedules.OneCycleLearningRate(1.0, steps),
        "warmup, then cosine": schedules.LinearWarmup(warmup, cosine),
        "warmup, then constant": schedules.LinearWarmup(warmup, 1.0),
    }


@claim(14)
def reduce_on_plateau(steps: int = 700, seeds: int = 32, epoch: int = 20) -> Found:
    """Reducing on a plateau helps exactly when the loss has stalled, and not before."""
    # An epoch, of which `steps` is a multiple, is the time between two looks at the loss.
    rate, soon, late = 0.2, 100, 300
    bowl = NoisyBowl(steps, seeds, smallest=0.1, distance=10.0)
    descent = bowl.descent(rate)

    def cut_at(cut: int) -> np.ndarray:
        cutter = keras.callbacks.LearningRateScheduler(
            lambda number: rate if number * epoch < cut else rate / 5
        )
        return bowl.train(descent, rate, epoch, cutter)[0].mean(axis=1)

    uncut = cut_at(steps)
    cuts = np.arange(0, steps - late - epoch, epoch)
    cut_losses = [cut_at(int(cut)) for cut in cuts]
    found, rates = bowl.train(descent, rate, epoch, performance())
    floor = float(uncut[steps // 2 :].mean())
    smooth = np.convolve(uncut, np.ones(epoch) / epoch, "valid")
    stalled = int(np.argmax(smooth < 1.1 * floor)) + epoch // 2

    def gain(losses: np.ndarray, cut: int, wait: int) -> float:
        later = slice(cut + wait - epoch, cut + wait)
        return float(losses[later].mean() / uncut[later].mean())

    gains, late_gains = (
        np.array([gain(*pair, wait) for pair in zip(cut_losses, cuts, strict=True)])
        for wait in (soon, late)
    )
    with_callback, by_callback = found.mean(axis=1), int(np.argmax(rates < rate)) * epoch
    callback_gain = gain(with_callback, by_callback, soon)
    early, at_stall = np.interp([stalled / 3, stalled], cuts, gains)
    even, late_even = (int(cuts[np.argmax(each < 1)]) for each in (gains, late_gains))
    early_name = "loss 100 steps after a cut / without it, cut at 1/3 of the stall"
    share_name = "step of the first cut that helps / of the stall"
    losses = lines({"constant rate": uncut, "with PerformanceScheduling": with_callback}, 1)
    losses.append(Line("stalled", [stalled], uncut[[stalled]], style="marks", colour=4))
    effects = lines({soon: gains, late: late_gains}, cuts, "dots", "{} steps later")
    effects.append(Line("stalled", [stalled], [1.0], style="marks", colour=4))
    title = "What a cut to a fifth did to the loss"
    axes, levels = ("step of the cut", "loss with the cut / without"), [("no difference", 1.0)]
    return (
        [
            Measurement(early_name, early, ">", 2),
            Measurement("the same, cut when the loss has stalled", at_stall, "<", 0.8),
            Measurement("the same, cut by PerformanceScheduling", callback_gain, "<", 0.8),
            Measurement(share_name, even / stalled, ">", 0.9, expected=False),
        ],
        f"The loss has stalled at step {stalled}. A cut at a third of that leaves {early:.1f} "
        f"times the loss {soon} steps later, a cut at the stall {at_stall:.2f} times, and the "
        f"callback, which cuts at step {by_callback}, {callback_gain:.2f} times. Not exactly as "
        f"claimed: a cut helps from step {even} on already, or {late_even} if one waits {late} "
        f"steps for the outcome; at step {even} the loss is still at {uncut[even] / floor:.1f} "
        "times its floor.",
        "Left: the loss falls until the noise holds it. Right: above 1 the cut did harm, below it "
        "helped; the lines cross 1 shortly before the loss has stalled, and stay below.",
        [
            Panel("Loss at a constant rate", "step", "loss, mean over seeds", losses, LOG_Y),
            Panel(title, *axes, effects, LOG_Y, levels=levels),
        ],
    )
