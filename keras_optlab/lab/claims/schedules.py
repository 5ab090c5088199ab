"""Claims 11 to 14: the learning rate, its schedules, 1cycle, and reducing on a plateau."""

from collections.abc import Callable, Sequence
from typing import Any, final

import keras
import numpy as np
from keras import ops

from keras_optlab import schedules
from keras_optlab.callbacks import PerformanceScheduling
from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.lab import data
from keras_optlab.lab.claims.descent import Descent
from keras_optlab.lab.claims.evidence import Found, Measurement, claim, steps_until
from keras_optlab.lab.claims.picture import LOG_BOTH, LOG_Y, Line, Panel, lines
from keras_optlab.lab.data import Dataset
from keras_optlab.optimizers import SGD

# Claim 13.
BATCH, RATES = 32, np.geomspace(0.02, 0.32, 5)
# Schedules whose rate is not small when training ends.
HIGHER = ("warmup, then constant", "restarts, stopped within a cycle")


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
    axes = "Steps to a hundredth of the distance", "learning rate × L / 2", "steps"
    return (
        Measurement("largest rate that converges, in 2/L", highest, ">", 0.98),
        Measurement("smallest rate that diverges, in 2/L", lowest, "<", 1.02),
        Measurement("steps × rate, at 1/8 of a rate / at the rate", abs(inverse - 1), "<", 0.03),
        f"Between 0.99 and 1.01 times 2/L = {limit:g} convergence turns into divergence. One "
        f"eighth of a small rate needs {needed[0] / needed[3]:.2f} times the steps. Near 2/L that "
        "is no longer so: the error then swings from side to side and shrinks slowly.",
        "Left: the lines above 2/L go up, all others down, quickest the one nearest to 1/L, half "
        "of the limit. Right: on the left the points lie on a straight line, twice the rate, half "
        "the steps.",
        Panel("Distance to the minimum", "step", "distance", distances, LOG_Y, (1e-4, 1e3)),
        Panel(*axes, drawn, LOG_BOTH),
    )


def noisy_bowl(
    steps: int, seeds: int, smallest: float = 0.01, distance: float = 1.0
) -> tuple[np.ndarray, Callable[..., Descent]]:
    """Make the bowl ½ Σ c x² in 20 directions, with gradient noise of variance c in each.

    The curvatures c lie between `smallest` and 1. Each seed has a different start and noise;
    `distance` is the spread of the starts in units of 1 / √c. Returns the noise of each step, and a
    function that makes a descent from a learning rate and `rates`; it observes the noiseless loss.

    Source: Zhang et al., 2019, "Which Algorithmic Choices Matter at Which Batch Sizes?" (the noisy
    quadratic model).
    """
    random = np.random.default_rng(0)
    curvatures = np.geomspace(smallest, 1, 20).astype("float32")
    noise = random.normal(size=(steps, seeds, 20)).astype("float32")
    start = distance * random.normal(size=(seeds, 20)) / np.sqrt(curvatures)
    curvature, deviation = map(ops.convert_to_tensor, (curvatures, np.sqrt(curvatures)))

    def gradient(x: Any, row: Any) -> Any:
        return curvature * x + deviation * row

    def loss(x: Any) -> Any:
        return 0.5 * ops.sum(curvature * ops.square(x), axis=-1)

    return noise, lambda rate, rates=None: Descent(SGD(rate), start, gradient, loss, rates)


def train(
    descent: Descent, noise: np.ndarray, rate: float, epoch: int, callback: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Train with a callback, and return the losses of each step and the rate of each epoch.

    The callback defaults to `PerformanceScheduling`.
    """
    callback = callback or PerformanceScheduling("loss", 0.2, 2, mode="min", min_delta=0.0)
    descent.restart(learning_rate=rate)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(descent.optimizer, loss="mse")
    callback.set_model(model)
    callback.on_train_begin()
    losses, rates = [], []
    for number, start in enumerate(range(0, len(noise), epoch)):
        callback.on_epoch_begin(number)
        rates.append(float(to_numpy(descent.optimizer.learning_rate)))
        losses.append(descent.run(noise[start : start + epoch]))
        callback.on_epoch_end(number, {"loss": float(losses[-1].mean())})
    return np.concatenate(losses), np.array(rates)


@claim(12)
def every_schedule(steps: int = 1400, seeds: int = 16) -> Found:
    """Every schedule ends lower than the best constant rate on a noisy problem."""
    # Each schedule gets the same sweep of its highest rate. `PerformanceScheduling` sees the mean
    # loss of all seeds and reduces their rate together. `steps` is a multiple of 140.
    (noise, bowl), rates = noisy_bowl(steps, seeds), np.geomspace(0.03, 1.95, 13)
    final = {
        name: np.nan_to_num(bowl(schedule, rates).run(noise)[-1], nan=np.inf)
        for name, schedule in tried(steps).items()
    }
    descent = bowl(1.0)
    watched = [train(descent, noise, rate, epoch=70)[0][-1] for rate in rates]
    final["performance (callback)"] = np.array(watched)
    means = {name: losses.mean(axis=1) for name, losses in final.items()}
    best = {name: losses[means[name].argmin()] for name, losses in final.items()}
    constant = best.pop("constant").mean()
    ratio = {name: float(losses.mean() / constant) for name, losses in best.items()}
    order = sorted(ratio, key=ratio.__getitem__)
    lower = [ratio[name] for name in order if name not in HIGHER]
    failing = [f"{name} ends at {ratio[name]:.2f} times" for name in order if name in HIGHER]
    values = np.array([ratio[name] for name in order])
    # Two standard errors of a schedule's mean over the seeds.
    wide = np.array([2 * np.std(best[name] / constant) / seeds**0.5 for name in order])
    bars = Line("", values, np.arange(len(order)), (values - wide, values + wide))
    swept = ("constant", "cosine", "exponential", "1cycle", "warmup, then constant")
    curves = lines({name: means[name] for name in swept}, rates, "dots")
    axes = "Final loss, best rate for each", "final loss / that of the best constant rate", ""
    swept_axes = "highest learning rate", "final loss, mean over seeds"
    limits = (0.15 * values[0] * constant, 30 * constant)
    return (
        *(
            Measurement(f"final loss, {name} / constant", ratio[name], "<", 1, name not in HIGHER)
            for name in order
        ),
        f"The best constant rate ends at a loss of {constant:.3f}. Schedules that end on a small "
        f"rate reach {lower[0]:.2f} to {lower[-1]:.2f} times that. Not as claimed: "
        f"{'; '.join(failing)}. What counts is that the rate is small when training ends.",
        "Each bar is the final loss in units of the best constant rate's: shorter than 1 is "
        "better. The thin lines span two standard errors either way over the seeds.",
        Panel(*axes, [bars], names=order),
        Panel("Final loss for each highest rate", *swept_axes, curves, LOG_BOTH, limits),
    )


def tried(steps: int) -> dict[str, Any]:
    """Return the schedules, peaking at 1; all but `constant` and `HIGHER` end on a small rate."""
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
        # Cycles of 1, 2 and 4 sevenths end with the training; 1, 2 and 4 quarters do not.
        "restarts": schedules.CosineDecayRestarts(1.0, steps // 7, 2.0),
        "restarts, stopped within a cycle": schedules.CosineDecayRestarts(1.0, steps // 4, 2.0),
        "1cycle": schedules.OneCycleLearningRate(1.0, steps),
        "warmup, then cosine": schedules.LinearWarmup(warmup, cosine),
        "warmup, then constant": schedules.LinearWarmup(warmup, 1.0),
    }


@claim(13)
def super_convergence(examples: int = 10_000) -> Found:
    """1cycle reaches a given validation accuracy in fewer epochs than the best constant rate
    (super-convergence); with momentum cycled in fewer than without, or as many.
    """
    easy, hard = 0.963, 0.815
    on_shapes = race(shapes(examples), cycles=(2, 3, 4, 6), longest=12, seeds=4)
    on_digits = race(data.digits(0), cycles=(1, 2, 3, 4), longest=6, seeds=8)
    # The smallest number of epochs that reaches the accuracy.
    constant, cycled, uncycled, constant_digits, cycled_digits, _ = (
        float(min(line.x[line.y >= target], default=np.inf))
        for raced, target in ((on_shapes, hard), (on_digits, easy))
        for line in raced
    )
    digits_name = "epochs to 96.3 %, digits: 1cycle / constant"
    axes = "epochs of training", "validation accuracy, best rate"
    return (
        Measurement("epochs to 81.5 %, shapes: 1cycle / constant", cycled / constant, "<", 0.9),
        Measurement("the same: momentum cycled / not", cycled / uncycled, "<", 1.1),
        Measurement(digits_name, cycled_digits / constant_digits, "<", 1, expected=False),
        f"On {examples:,} noisy shapes 1cycle reaches 81.5 % in {cycled:.0f} epochs with momentum "
        f"cycled and {uncycled:.0f} without, the best constant rate in {constant:.0f}. Not as "
        "claimed everywhere: on the digits, which are easy, the constant rate needs "
        f"{constant_digits:.0f} epochs to 96.3 % and 1cycle {cycled_digits:.0f}. Cycling momentum "
        "makes little difference, and nowhere is it the tenfold of the paper, whose networks were "
        "deep.",
        "Each point of 1cycle is a training of its own of that length. Left: from four epochs on "
        "they are above the constant rate's line. Right: a short cycle is below it.",
        Panel("Noisy shapes", *axes, on_shapes, levels=[("81.5%", hard)]),
        Panel("Digits", *axes, on_digits, levels=[("96.3%", easy)]),
    )


def shapes(examples: int) -> Dataset:
    """Make noisy shapes, a small task on which constant learning rates need many epochs.

    Each example is one of ten curves, shifted, scaled in height and buried in noise, in the manner
    of MNIST-1D (Greydanus & Kobak, 2020, "Scaling down Deep Learning"). A fifth of the examples
    are for validation.
    """
    random = np.random.default_rng(0)
    curves, positions = random.normal(size=(10, 12)), np.linspace(0, 11, 20)
    labels = np.arange(examples) % 10
    features = 0.25 * random.normal(size=(examples, 40))
    for row, label in enumerate(labels):
        drift = np.convolve(random.normal(size=40), np.ones(3) / 3, "same")
        height, start = 1 + 0.3 * random.normal(), random.integers(21)
        curve = np.interp(positions, np.arange(12), curves[label])
        features[row] += 0.3 * drift
        features[row, start : start + 20] += height * curve
    return data.from_arrays("noisy shapes", (features, labels), 0, standardize=True)


@final
class Perceptron:
    """The network softmax(tanh(x A + a) B + b), trained at several rates and seeds at once.

    The loss is the mean cross-entropy. Biases start at zero, weights from Glorot's uniform
    distribution, drawn separately for each seed.
    """

    def __init__(self, dataset: Dataset, seeds: int, hidden: int = 32) -> None:
        (_, inputs), outputs = dataset.x_train.shape, len(dataset.classes)
        self.dataset, self.x = dataset, ops.convert_to_tensor(dataset.x_train)
        self.y = ops.convert_to_tensor(np.eye(outputs, dtype="float32")[dataset.y_train])
        random = np.random.default_rng(0)
        self.start = ()
        for shape in ((inputs, hidden), (1, hidden), (hidden, outputs), (1, outputs)):
            bound = (6 / sum(shape)) ** 0.5 if shape[0] > 1 else 0.0
            self.start += (random.uniform(-bound, bound, (seeds, *shape)),)

    def descent(self, optimizer: keras.optimizers.Optimizer) -> Descent:
        """Return a training that records nothing, since only its end matters."""
        return Descent(optimizer, self.start, self.gradient, lambda weights: ops.zeros(()), RATES)

    def gradient(self, weights: tuple[Any, ...], batch: Any) -> tuple[Any, ...]:
        """Return the gradients of the loss on each seed's batch."""
        a_kernel, a_bias, b_kernel, b_bias = weights
        x, y = ops.take(self.x, batch, axis=0), ops.take(self.y, batch, axis=0)
        hidden = ops.tanh(ops.matmul(x, a_kernel) + a_bias)
        outer = (ops.softmax(ops.matmul(hidden, b_kernel) + b_bias) - y) / BATCH
        inner = ops.matmul(outer, ops.swapaxes(b_kernel, -1, -2)) * (1 - ops.square(hidden))
        return (
            ops.matmul(ops.swapaxes(x, -1, -2), inner),
            ops.sum(inner, axis=-2, keepdims=True),
            ops.matmul(ops.swapaxes(hidden, -1, -2), outer),
            ops.sum(outer, axis=-2, keepdims=True),
        )

    def best_accuracy(self, descent: Descent, rows: np.ndarray) -> float:
        """Train on `rows`; return the validation accuracy at the best rate, mean over the seeds."""
        descent.run(rows)
        a_kernel, a_bias, b_kernel, b_bias = map(to_numpy, descent.point())
        hidden = np.tanh(self.dataset.x_validation @ a_kernel + a_bias)
        right = (hidden @ b_kernel + b_bias).argmax(axis=-1) == self.dataset.y_validation
        return right.mean(axis=-1).mean(axis=1).max()


def race(dataset: Dataset, cycles: Sequence[int], longest: int, seeds: int) -> list[Line]:
    """Return accuracy by epochs for a constant rate, 1cycle, and 1cycle of the rate alone.

    The constant rate is trained once, for the longest; each point of 1cycle is a separate training.
    """
    network, random = Perceptron(dataset, seeds), np.random.default_rng(1)
    # The rows of each step's batch, reshuffled every epoch; an incomplete last batch is dropped.
    epoch = len(dataset.x_train) // BATCH
    orders = [
        [random.permutation(len(dataset.x_train))[: epoch * BATCH] for _ in range(seeds)]
        for _ in range(longest)
    ]
    rows = np.reshape(orders, (longest, seeds, epoch, BATCH)).swapaxes(1, 2).astype("int32")

    def one_cycle(length: int, is_cycled: bool) -> float:
        steps = length * epoch
        momentum = schedules.OneCycleMomentum(steps) if is_cycled else 0.9
        optimizer = SGD(schedules.OneCycleLearningRate(1.0, steps), momentum=momentum)
        return network.best_accuracy(network.descent(optimizer), np.concatenate(rows[:length]))

    descent = network.descent(SGD(1.0, momentum=0.9))
    constant = {"best constant rate": np.array([network.best_accuracy(descent, e) for e in rows])}
    kinds = {"1cycle, momentum cycled": True, "1cycle, momentum 0.9": False}
    cycled = {
        name: np.array([one_cycle(length, is_cycled) for length in cycles])
        for name, is_cycled in kinds.items()
    }
    return [*lines(constant, 1), *lines(cycled, np.array(cycles), "dots")]


@claim(14)
def reduce_on_plateau(steps: int = 700, seeds: int = 32, epoch: int = 20) -> Found:
    """Reducing on a plateau helps exactly when the loss has stalled, and not before."""
    # An epoch is the interval between looks at the loss; `steps` is a multiple of it.
    rate, soon, late = 0.2, 100, 300
    noise, bowl = noisy_bowl(steps, seeds, smallest=0.1, distance=10.0)
    descent = bowl(rate)

    def cut_at(cut: int) -> np.ndarray:
        cutter = keras.callbacks.LearningRateScheduler(
            lambda number: rate if number * epoch < cut else rate / 5
        )
        return train(descent, noise, rate, epoch, cutter)[0].mean(axis=1)

    uncut = cut_at(steps)
    cuts = np.arange(0, steps - late - epoch, epoch)
    cut_losses = {int(cut): cut_at(int(cut)) for cut in cuts}
    found, rates = train(descent, noise, rate, epoch)
    floor = float(uncut[steps // 2 :].mean())
    smooth = np.convolve(uncut, np.ones(epoch) / epoch, "valid")
    stalled = int(np.argmax(smooth < 1.1 * floor)) + epoch // 2

    def gain(losses: np.ndarray, cut: int, wait: int) -> float:
        later = slice(cut + wait - epoch, cut + wait)
        return float(losses[later].mean() / uncut[later].mean())

    gains, late_gains = (
        np.array([gain(losses, cut, wait) for cut, losses in cut_losses.items()])
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
    axes, levels = ("step of the cut", "loss with the cut / without"), [("no difference", 1.0)]
    return (
        Measurement(early_name, early, ">", 2),
        Measurement("the same, cut when the loss has stalled", at_stall, "<", 0.8),
        Measurement("the same, cut by PerformanceScheduling", callback_gain, "<", 0.8),
        Measurement(share_name, even / stalled, ">", 0.9, expected=False),
        f"The loss has stalled at step {stalled}. A cut at a third of that leaves {early:.1f} "
        f"times the loss {soon} steps later, a cut at the stall {at_stall:.2f} times, and the "
        f"callback, which cuts at step {by_callback}, {callback_gain:.2f} times. Not exactly as "
        f"claimed: a cut helps from step {even} on already, or {late_even} if one waits {late} "
        f"steps for the outcome; at step {even} the loss is still at {uncut[even] / floor:.1f} "
        "times its floor.",
        "Left: the loss falls until the noise holds it. Right: above 1 the cut did harm, below it "
        "helped; the lines cross 1 shortly before the loss has stalled, and stay below.",
        Panel("Loss at a constant rate", "step", "loss, mean over seeds", losses, LOG_Y),
        Panel("What a cut to a fifth did to the loss", *axes, effects, LOG_Y, levels=levels),
    )
