"""Claims 9 and 10: weight decay, and how adaptive methods generalise."""

from typing import Any

import numpy as np
from keras import ops

from keras_optlab.lab.claims.descent import Descent, descend
from keras_optlab.lab.claims.evidence import Evidence, Line, Measurement, Panel
from keras_optlab.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop

DECAY = 0.1
GRADIENT_SIZES = np.array([0.01, 0.1, 1.0, 10.0], "float32")


def weight_decay(steps: int = 500, copies: int = 2000) -> Evidence:
    """Claim 9: L2 and decoupled weight decay.

    Args:
        steps: Integer, the length of each descent.
        copies: Integer, how many weights with gradients of the same size are averaged.
    """
    rate = 0.01
    noise = np.random.default_rng(0).normal(size=(steps, copies, 1)).astype("float32")
    noise = noise * GRADIENT_SIZES
    start = np.ones((copies, len(GRADIENT_SIZES)), "float32")

    def way(optimizer: Any) -> np.ndarray:
        return descend(optimizer, start, lambda x, row: row, noise)

    ways = {
        "SGD, decay": way(SGD(rate, weight_decay=DECAY)),
        "SGD, L2": way(SGD(rate, weight_decay=DECAY, decoupled_weight_decay=False)),
        "AdamW": way(AdamW(rate, weight_decay=DECAY)),
        "Adam with L2": way(Adam(rate, weight_decay=DECAY, decoupled_weight_decay=False)),
    }
    apart = {
        name: float(np.abs(ways[a][-1] - ways[b][-1]).max() / np.abs(ways[a][-1] - start).max())
        for name, a, b in (
            ("SGD", "SGD, decay", "SGD, L2"),
            ("Adam", "AdamW", "Adam with L2"),
        )
    }
    # Of zero-mean gradients nothing is left in the mean, which decays by (1 − ηλ) a step.
    full = -np.log(1 - rate * DECAY) * steps
    means = {name: ways[name].astype("float64").mean(axis=1) for name in ("AdamW", "Adam with L2")}
    decayed = {name: 1 - mean[-1] for name, mean in means.items()}
    spread = {name: float(share.max() / share.min()) for name, share in decayed.items()}
    shown = np.arange(steps + 1)
    return Evidence(
        9,
        "L2 and weight decay are the same thing for SGD and not for Adam; AdamW decays weights "
        "with large gradients as much as the others.",
        (
            Measurement("SGD: L2 and decay apart, of the way", apart["SGD"], "<", 1e-5),
            Measurement("Adam: L2 and decay apart, of the way", apart["Adam"], ">", 0.1),
            Measurement("AdamW: most / least decayed", spread["AdamW"], "<", 1.25),
            Measurement("Adam with L2: most / least decayed", spread["Adam with L2"], ">", 10),
        ),
        f"With SGD the two differ by {apart['SGD']:.0e} of the way, which is rounding; with "
        f"Adam by {apart['Adam']:.0%}. Under zero-mean gradients of size 0.01 to 10 AdamW takes "
        f"{decayed['AdamW'].min():.0%} to {decayed['AdamW'].max():.0%} off the mean weight "
        f"({1 - np.exp(-full):.0%} by the formula) whatever their size; Adam with L2 takes "
        f"{decayed['Adam with L2'][0]:.0%} off those with the smallest and "
        f"{decayed['Adam with L2'][-1]:.1%} off those with the largest gradients.",
        "Left: the lines of all four gradient sizes lie on one another. Right: the smaller the "
        "gradients, the more L2 takes; the weights with large gradients hardly decay.",
        tuple(
            Panel(
                name,
                "step",
                "mean weight",
                [
                    Line(f"gradients of size {size:g}", shown, mean[:, number])
                    for number, size in enumerate(GRADIENT_SIZES)
                ],
                limits=(-0.1, 1.1),
            )
            for name, mean in means.items()
        ),
    )


# What stands for the failing of each adaptive method; AdaGrad's s starts from 0 as in its paper.
SEPARATORS = {
    "SGD": lambda: SGD(0.05),
    "momentum 0.9": lambda: SGD(0.005, momentum=0.9),
    "AdaGrad": lambda: Adagrad(0.03, initial_accumulator_value=0.0),
    "RMSProp": lambda: RMSprop(0.001),
    "Adam": lambda: Adam(0.01),
    "AdaGrad, s₀ = 0.1": lambda: Adagrad(0.03),
}
FAILING = ("AdaGrad", "RMSProp", "Adam")


def generalisation(rows: int = 60, seeds: int = 5, steps: int = 600) -> Evidence:
    """Claim 10: the linearly separable problem of Wilson et al. (2017).

    Args:
        rows: Integer, examples to train on.
        seeds: Integer, how many draws of the problem.
        steps: Integer, the length of each training.
    """
    draws = [wilson(rows, seed) for seed in range(seeds)]
    labels, features, unseen = (np.stack(arrays) for arrays in zip(*draws, strict=True))
    weights = {name: separate(make(), labels, features, steps) for name, make in SEPARATORS.items()}
    trained = {name: accuracies(own, labels, features) for name, own in weights.items()}
    tested = {name: accuracies(own, labels, unseen) for name, own in weights.items()}
    on_unseen = {name: float(own.mean()) for name, own in tested.items()}
    positive, negative = (3 + 5 * int(np.argmax(labels[0] == label)) for label in (1, -1))
    shown = {
        "the label": 0,
        "always 1": 1,
        "a positive's own": positive,
        "a negative's own": negative,
    }
    return Evidence(
        10,
        "Adaptive methods can generalise worse: on the linearly separable problem of Wilson et "
        "al. (2017) Adam and AdaGrad fail on unseen data and SGD does not.",
        (
            Measurement("lowest training accuracy", min(map(np.min, trained.values())), ">", 0.999),
            Measurement("SGD on unseen data", on_unseen["SGD"], ">", 0.999),
            *(
                Measurement(f"{name} on unseen data", on_unseen[name], "<", 0.55)
                for name in FAILING
            ),
            Measurement("AdaGrad with s₀ = 0.1", on_unseen["AdaGrad, s₀ = 0.1"], ">", 0.999),
        ),
        f"All fit the training data. On unseen data SGD is right in {on_unseen['SGD']:.0%} (mean "
        f"of both labels), AdaGrad in {on_unseen['AdaGrad']:.0%} and Adam in "
        f"{on_unseen['Adam']:.0%}: they call everything positive. "
        "The problem is made for that and says what can happen, not "
        "what usually does; with s₀ = 0.1, Keras' default, AdaGrad's steps stay in proportion to "
        f"the gradient and it is right in {on_unseen['AdaGrad, s₀ = 0.1']:.0%}.",
        "Left: the bars of training are all full, those on unseen data are not. Right: SGD puts "
        "its weight on the feature that is the label; Adam gives all a weight of one size.",
        (
            Panel(
                "Accuracy, mean of both labels",
                "accuracy",
                "",
                [
                    Line(title, np.array([own.mean() for own in found.values()]), np.arange(6))
                    for title, found in {"training": trained, "unseen": tested}.items()
                ],
                names=tuple(SEPARATORS),
            ),
            Panel(
                "The weight of some features",
                "weight",
                "",
                [
                    Line(name, weights[name][0, list(shown.values())], np.arange(4))
                    for name in ("SGD", "Adam")
                ],
                names=tuple(shown),
            ),
        ),
    )


def separate(optimizer: Any, labels: np.ndarray, features: np.ndarray, steps: int) -> np.ndarray:
    """The weights of least squares on the whole training data, a row for each draw."""
    x, rows = ops.convert_to_tensor(features), labels.shape[1]
    y = ops.convert_to_tensor(labels.astype("float32"))

    def gradient(points: list[Any], row: Any) -> list[Any]:
        error = ops.einsum("srf,sf->sr", x, points[0]) - y
        return [ops.einsum("srf,sr->sf", x, error) / rows]

    start = np.zeros((len(labels), features.shape[2]))
    descent = Descent(optimizer, [start], gradient, lambda points: ops.zeros(()))
    descent.run(steps)
    return descent.values()[0]


def accuracies(weights: np.ndarray, labels: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Accuracy among negative and among positive examples, a row for each draw."""
    right = np.sign(np.einsum("srf,sf->sr", features, weights)) == labels
    return np.stack([(right & (labels == y)).sum(1) / (labels == y).sum(1) for y in (-1, 1)], 1)


def wilson(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A draw of the problem of Wilson et al., Section 3.3.

    Feature 0 is the label, 1 and 2 are always 1, and each example has five of its own, of which a
    positive one shows one and a negative one all. There are more positive examples.

    Returns:
        The labels, -1 and 1; the features; those of unseen examples of the same labels.
    """
    random = np.random.default_rng(seed)
    labels = np.where(random.permutation(rows) < 0.6 * rows, 1.0, -1.0)
    features, unseen = np.zeros((2, rows, 3 + 5 * rows), "float32")
    features[:, 0], features[:, 1:3] = labels, 1
    unseen[:, :3] = features[:, :3]
    for row, label in enumerate(labels):
        own = 3 + 5 * row
        features[row, own : own + (1 if label > 0 else 5)] = 1
    return labels, features, unseen
