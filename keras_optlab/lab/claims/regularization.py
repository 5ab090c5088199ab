"""Claims 9 and 10: weight decay, and how adaptive methods generalise."""

from typing import Any

import numpy as np
from keras import ops

from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.lab.claims.descent import Descent, descend
from keras_optlab.lab.claims.evidence import Evidence, Measurement
from keras_optlab.lab.claims.picture import Panel, bars, lines
from keras_optlab.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop

GRADIENT_SIZES = np.array([0.01, 0.1, 1.0, 10.0], "float32")
SIZE_LABELS = [f"gradients of size {size:g}" for size in GRADIENT_SIZES]


def weight_decay(steps: int = 500, copies: int = 2000) -> Evidence:
    """Claim 9: L2 and decoupled weight decay, by the mean of copies of a weight."""
    rate, decay = 0.01, 0.1
    noise = np.random.default_rng(0).normal(size=(steps, copies, 1)).astype("float32")
    noise = noise * GRADIENT_SIZES
    start = np.ones((copies, len(GRADIENT_SIZES)), "float32")

    def way(optimizer: Any) -> np.ndarray:
        return descend(optimizer, start, lambda x, row: row, noise)

    def apart(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.abs(one[-1] - other[-1]).max() / np.abs(one[-1] - start).max())

    sgd = apart(
        way(SGD(rate, weight_decay=decay)),
        way(SGD(rate, weight_decay=decay, decoupled_weight_decay=False)),
    )
    ways = {
        "AdamW": way(AdamW(rate, weight_decay=decay)),
        "Adam with L2": way(Adam(rate, weight_decay=decay, decoupled_weight_decay=False)),
    }
    adam = apart(*ways.values())
    # Of zero-mean gradients nothing is left in the mean, which decays by (1 − ηλ) a step.
    full = 1 - (1 - rate * decay) ** steps
    means = {name: way.astype("float64").mean(axis=1) for name, way in ways.items()}
    decoupled, l2 = (1 - mean[-1] for mean in means.values())
    drawn = {
        name: lines(dict(zip(SIZE_LABELS, mean.T, strict=True))) for name, mean in means.items()
    }
    spread, l2_spread = (float(taken.max() / taken.min()) for taken in (decoupled, l2))
    return Evidence(
        9,
        "L2 and weight decay are the same thing for SGD and not for Adam; AdamW decays weights "
        "with large gradients as much as the others.",
        (
            Measurement("SGD: L2 and decay apart, of the way", sgd, "<", 1e-5),
            Measurement("Adam: L2 and decay apart, of the way", adam, ">", 0.1),
            Measurement("AdamW: most / least decayed", spread, "<", 1.25),
            Measurement("Adam with L2: most / least decayed", l2_spread, ">", 10),
        ),
        f"With SGD the two differ by {sgd:.0e} of the way, which is rounding; with Adam by "
        f"{adam:.0%}. Under zero-mean gradients of size 0.01 to 10 AdamW takes "
        f"{decoupled.min():.0%} to {decoupled.max():.0%} off the mean weight ({full:.0%} by the "
        f"formula) whatever their size; Adam with L2 takes {l2[0]:.0%} off those with the smallest "
        f"and {l2[-1]:.1%} off those with the largest gradients.",
        "Left: the lines of all four gradient sizes lie on one another. Right: the smaller the "
        "gradients, the more L2 takes; the weights with large gradients hardly decay.",
        tuple(
            Panel(name, "step", "mean weight", weights, limits=(-0.1, 1.1))
            for name, weights in drawn.items()
        ),
    )


# What stands for the failing of each adaptive method; AdaGrad's s starts from 0 as in its paper.
LIKE_KERAS = "AdaGrad, s₀ = 0.1"
SEPARATORS = {
    "SGD": lambda: SGD(0.05),
    "momentum 0.9": lambda: SGD(0.005, momentum=0.9),
    "AdaGrad": lambda: Adagrad(0.03, initial_accumulator_value=0.0),
    "RMSProp": lambda: RMSprop(0.001),
    "Adam": lambda: Adam(0.01),
    LIKE_KERAS: lambda: Adagrad(0.03),
}
FAILING = ("AdaGrad", "RMSProp", "Adam")


def generalisation(rows: int = 60, seeds: int = 5, steps: int = 600) -> Evidence:
    """Claim 10: the linearly separable problem of Wilson et al. (2017), drawn by several seeds."""
    draws = [wilson(rows, seed) for seed in range(seeds)]
    labels, features, unseen = (np.stack(arrays) for arrays in zip(*draws, strict=True))
    weights = {name: separate(make(), labels, features, steps) for name, make in SEPARATORS.items()}
    seen = [accuracy(each, labels, features) for each in weights.values()]
    new = {name: accuracy(each, labels, unseen).mean() for name, each in weights.items()}
    trained, lowest = np.mean(seen, axis=(1, 2)), np.min(seen)
    positive, negative = (3 + 5 * int(np.argmax(labels[0] == label)) for label in (1, -1))
    names = ("the label", "always 1", "a positive's own", "a negative's own")
    shown = [0, 1, positive, negative]
    right = bars({"training": trained, "unseen": list(new.values())})
    shown_weights = bars({name: weights[name][0, shown] for name in ("SGD", "Adam")})
    return Evidence(
        10,
        "Adaptive methods can generalise worse: on the linearly separable problem of Wilson et "
        "al. (2017) Adam and AdaGrad fail on unseen data and SGD does not.",
        (
            Measurement("lowest training accuracy", float(lowest), ">", 0.999),
            Measurement("SGD on unseen data", new["SGD"], ">", 0.999),
            *(Measurement(f"{name} on unseen data", new[name], "<", 0.55) for name in FAILING),
            Measurement("AdaGrad with s₀ = 0.1", new[LIKE_KERAS], ">", 0.999),
        ),
        f"All fit the training data. On unseen data SGD is right in {new['SGD']:.0%} (mean of both "
        f"labels), AdaGrad in {new['AdaGrad']:.0%} and Adam in {new['Adam']:.0%}: they call "
        "everything positive. The problem is made for that and says what can happen, not what "
        "usually does; with s₀ = 0.1, Keras' default, AdaGrad's steps stay in proportion to the "
        f"gradient and it is right in {new[LIKE_KERAS]:.0%}.",
        "Left: the bars of training are all full, those on unseen data are not. Right: SGD puts "
        "its weight on the feature that is the label; Adam gives all a weight of one size.",
        (
            Panel("Accuracy, mean of both labels", "accuracy", "", right, names=[*SEPARATORS]),
            Panel("The weight of some features", "weight", "", shown_weights, names=names),
        ),
    )


def separate(optimizer: Any, labels: np.ndarray, features: np.ndarray, steps: int) -> np.ndarray:
    """The weights of least squares on the whole training data, a row for each draw."""
    x, y = ops.convert_to_tensor(features), ops.convert_to_tensor(labels.astype("float32"))

    def gradient(weights: Any, row: Any) -> Any:
        error = ops.einsum("srf,sf->sr", x, weights) - y
        return ops.einsum("srf,sr->sf", x, error) / labels.shape[1]

    descent = Descent(optimizer, np.zeros((len(labels), features.shape[2])), gradient)
    descent.run(steps)
    return to_numpy(descent.point())


def accuracy(weights: np.ndarray, labels: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Accuracy among negative and among positive examples, a row for each draw."""
    right = np.sign(np.einsum("srf,sf->sr", features, weights)) == labels
    return np.stack([(right & (labels == y)).sum(1) / (labels == y).sum(1) for y in (-1, 1)], 1)


def wilson(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A draw of the problem of Wilson et al., Section 3.3.

    Feature 0 is the label, 1 and 2 are always 1, and each example has five that only it has, of
    which a positive one shows one and a negative one all. There are more positive examples.
    Returned are the labels, -1 and 1, the features, and those of unseen examples.
    """
    random = np.random.default_rng(seed)
    labels = np.where(random.permutation(rows) < 0.6 * rows, 1.0, -1.0)
    features, unseen = np.zeros((2, rows, 3 + 5 * rows), "float32")
    features[:, 0], features[:, 1:3] = labels, 1
    unseen[:, :3] = features[:, :3]
    for row, label in enumerate(labels):
        first = 3 + 5 * row
        features[row, first : first + (1 if label > 0 else 5)] = 1
    return labels, features, unseen
