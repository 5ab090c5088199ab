"""Claims 9 and 10: weight decay, and how adaptive methods generalise."""

from typing import Any

import numpy as np
from keras import ops

from keras_optlab.lab.claims.descent import descend
from keras_optlab.lab.claims.evidence import Found, Measurement, claim
from keras_optlab.lab.claims.picture import Panel, bars, lines
from keras_optlab.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop


@claim(9)
def weight_decay(steps: int = 500, copies: int = 2000) -> Found:
    """L2 and weight decay are the same thing for SGD and not for Adam; AdamW decays weights with
    large gradients as much as the others.
    """
    rate, decay, sizes = 0.01, 0.1, np.array([0.01, 0.1, 1.0, 10.0], "float32")
    noise = np.random.default_rng(0).normal(size=(steps, copies, 1)).astype("float32") * sizes
    start = np.ones((copies, len(sizes)), "float32")
    l2: Any = {"weight_decay": decay, "decoupled_weight_decay": False}
    optimizers = (
        SGD(rate, weight_decay=decay),
        SGD(rate, **l2),
        AdamW(rate, decay),
        Adam(rate, **l2),
    )
    sgd, sgd_l2, adamw, adam_l2 = (
        descend(optimizer, start, lambda x, row: row, noise) for optimizer in optimizers
    )
    apart, adam_apart = (
        float(np.abs(one[-1] - other[-1]).max() / np.abs(one[-1] - start).max())
        for one, other in ((sgd, sgd_l2), (adamw, adam_l2))
    )
    # Zero-mean gradients cancel in the mean weight, which decays by the factor 1 − ηλ per step.
    full = 1 - (1 - rate * decay) ** steps
    means = [way.astype("float64").mean(axis=1) for way in (adamw, adam_l2)]
    taken, taken_l2 = (1 - mean[-1] for mean in means)
    spread, spread_l2 = (float(each.max() / each.min()) for each in (taken, taken_l2))
    label, limits = "gradients of size {:g}", (-0.1, 1.1)
    shown = [lines(dict(zip(sizes, mean.T, strict=True)), label=label) for mean in means]
    return (
        Measurement("SGD: L2 and decay apart, of the way", apart, "<", 1e-5),
        Measurement("Adam: L2 and decay apart, of the way", adam_apart, ">", 0.1),
        Measurement("AdamW: most / least decayed", spread, "<", 1.25),
        Measurement("Adam with L2: most / least decayed", spread_l2, ">", 10),
        f"With SGD the two differ by {apart:.0e} of the way, which is rounding; with Adam by "
        f"{adam_apart:.0%}. Under zero-mean gradients of size 0.01 to 10 AdamW takes "
        f"{taken.min():.0%} to {taken.max():.0%} off the mean weight ({full:.0%} by the formula) "
        f"whatever their size; Adam with L2 takes {taken_l2[0]:.0%} off those with the smallest "
        f"and {taken_l2[-1]:.1%} off those with the largest gradients.",
        "Left: the lines of all four gradient sizes lie on one another. Right: the smaller the "
        "gradients, the more L2 takes; the weights with large gradients hardly decay.",
        Panel("AdamW", "step", "mean weight", shown[0], limits=limits),
        Panel("Adam with L2", "step", "mean weight", shown[1], limits=limits),
    )


@claim(10)
def generalisation(rows: int = 60, seeds: int = 5, steps: int = 600) -> Found:
    """Adaptive methods can generalise worse: on the linearly separable problem of Wilson et al.
    (2017) Adam and AdaGrad fail on unseen data and SGD does not.
    """
    draws = [wilson(rows, seed) for seed in range(seeds)]
    labels, features, unseen = (np.stack(arrays) for arrays in zip(*draws, strict=True))
    x, y = ops.convert_to_tensor(features), ops.convert_to_tensor(labels.astype("float32"))

    def gradient(weights: Any, row: Any) -> Any:
        error = ops.einsum("srf,sf->sr", x, weights) - y
        return ops.einsum("srf,sr->sf", x, error) / rows

    def accuracy(weights: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Return the accuracy on negative and on positive examples, one row per draw."""
        right = np.sign(np.einsum("srf,sf->sr", features, weights)) == labels
        return np.stack([(right & (labels == y)).sum(1) / (labels == y).sum(1) for y in (-1, 1)], 1)

    start = np.zeros((seeds, features.shape[2]))
    # AdaGrad's s starts at 0, as in its paper; in Keras it starts at 0.1.
    optimizers = {
        "SGD": SGD(0.05),
        "momentum 0.9": SGD(0.005, momentum=0.9),
        "AdaGrad": Adagrad(0.03, initial_accumulator_value=0.0),
        "RMSProp": RMSprop(0.001),
        "Adam": Adam(0.01),
        "AdaGrad, s₀ = 0.1": Adagrad(0.03),
    }
    weights = {
        name: descend(optimizer, start, gradient, steps)[-1]
        for name, optimizer in optimizers.items()
    }
    seen = [accuracy(each, features) for each in weights.values()]
    new = {name: accuracy(each, unseen).mean() for name, each in weights.items()}
    failing, like_keras = ("AdaGrad", "RMSProp", "Adam"), new["AdaGrad, s₀ = 0.1"]
    left = bars({"training": np.mean(seen, axis=(1, 2)), "unseen": list(new.values())})
    positive, negative = (3 + 5 * int(np.argmax(labels[0] == label)) for label in (1, -1))
    shown = [0, 1, positive, negative]
    right = bars({name: weights[name][0, shown] for name in ("SGD", "Adam")})
    names = ("the label", "always 1", "a positive's own", "a negative's own")
    return (
        Measurement("lowest training accuracy", float(np.min(seen)), ">", 0.999),
        Measurement("SGD on unseen data", new["SGD"], ">", 0.999),
        *(Measurement(f"{name} on unseen data", new[name], "<", 0.55) for name in failing),
        Measurement("AdaGrad with s₀ = 0.1", like_keras, ">", 0.999),
        f"All fit the training data. On unseen data SGD is right in {new['SGD']:.0%} (mean of both "
        f"labels), AdaGrad in {new['AdaGrad']:.0%} and Adam in {new['Adam']:.0%}: they call "
        "everything positive. The problem is made for that and says what can happen, not what "
        "usually does; with s₀ = 0.1, Keras' default, AdaGrad's steps stay in proportion to the "
        f"gradient and it is right in {like_keras:.0%}.",
        "Left: the bars of training are all full, those on unseen data are not. Right: SGD puts "
        "its weight on the feature that is the label; Adam gives all a weight of one size.",
        Panel("Accuracy, mean of both labels", "accuracy", "", left, names=[*weights]),
        Panel("The weight of some features", "weight", "", right, names=names),
    )


def wilson(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw an instance of the problem of Wilson et al., Section 3.3.

    Feature 0 is the label, features 1 and 2 are always 1, and five more are reserved for each
    example: a positive example sets one of them, a negative example all five. Most examples are
    positive. Returns the labels, -1 and 1, the features, and the features of unseen examples.
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
