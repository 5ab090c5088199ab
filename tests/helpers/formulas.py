"""The equations of each algorithm in plain NumPy: an oracle that shares no code with the package.

A formula takes the weights `w`, their gradient `g`, a dictionary `s` to keep state in, the step
`t` counted from 1, and the hyperparameters `h`; it returns the new weights.
"""

import inspect
from types import SimpleNamespace

import numpy as np

from keras_optlab import optimizers


def sgd(w, g, s, t, h):
    if h.learning_rate_in_velocity:
        v = s["v"] = h.momentum * s.get("v", 0) - h.learning_rate * g
        return w + (h.momentum * v - h.learning_rate * g if h.nesterov else v)
    v = s["v"] = h.momentum * s.get("v", 0) + g
    return w - h.learning_rate * (g + h.momentum * v if h.nesterov else v)


def divided(g, squares, h):
    """Return the gradient divided by a root, with epsilon inside the root or added to it."""
    if h.epsilon_inside_root:
        return g / np.sqrt(squares + h.epsilon)
    return g / (np.sqrt(squares) + h.epsilon)


def adagrad(w, g, s, t, h):
    s["s"] = s.get("s", h.initial_accumulator_value) + g**2
    return w - h.learning_rate * divided(g, s["s"], h)


def rmsprop(w, g, s, t, h):
    s["s"] = h.rho * s.get("s", 0) + (1 - h.rho) * g**2
    s["a"] = h.rho * s.get("a", 0) + (1 - h.rho) * g
    squares = s["s"] - s["a"] ** 2 if h.centered else s["s"]
    s["m"] = h.momentum * s.get("m", 0) + h.learning_rate * divided(g, squares, h)
    return w - s["m"]


def adadelta(w, g, s, t, h):
    s["s"] = h.rho * s.get("s", 0) + (1 - h.rho) * g**2
    d = -np.sqrt(s.get("u", 0) + h.epsilon) / np.sqrt(s["s"] + h.epsilon) * g
    s["u"] = h.rho * s.get("u", 0) + (1 - h.rho) * d**2
    return w + h.learning_rate * d


def moments(g, s, beta_1, beta_2):
    """Update and return the moving averages of the gradient and its square."""
    s["m"] = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    s["v"] = beta_2 * s.get("v", 0) + (1 - beta_2) * g**2
    return s["m"], s["v"]


def adam(w, g, s, t, h):
    m, v = moments(g, s, h.beta_1, h.beta_2)
    if h.amsgrad:
        v = s["largest"] = np.maximum(s.get("largest", 0), v)
    if h.bias_correction == "none":
        return w - h.learning_rate * m / (np.sqrt(v) + h.epsilon)
    if h.bias_correction == "algorithm_1":
        m_hat, v_hat = m / (1 - h.beta_1**t), v / (1 - h.beta_2**t)
        return w - h.learning_rate * m_hat / (np.sqrt(v_hat) + h.epsilon)
    alpha = h.learning_rate * np.sqrt(1 - h.beta_2**t) / (1 - h.beta_1**t)
    return w - alpha * m / (np.sqrt(v) + h.epsilon)


def adamax(w, g, s, t, h):
    m, _ = moments(g, s, h.beta_1, h.beta_2)
    u = s["u"] = np.maximum(h.beta_2 * s.get("u", 0), np.abs(g))
    return w - h.learning_rate / (1 - h.beta_1**t) * m / (u + h.epsilon)


def nadam(w, g, s, t, h):
    m, v = moments(g, s, h.beta_1, h.beta_2)
    now, following = (h.beta_1 * (1 - 0.96**step / 2) for step in (t, t + 1))
    product = s["product"] = s.get("product", 1) * now
    m_hat = following * m / (1 - product * following) + (1 - now) * g / (1 - product)
    return w - h.learning_rate * m_hat / (np.sqrt(v / (1 - h.beta_2**t)) + h.epsilon)


def lamb(w, g, s, t, h):
    m, v = moments(g, s, h.beta_1, h.beta_2)
    d = m / (1 - h.beta_1**t) / (np.sqrt(v / (1 - h.beta_2**t)) + h.epsilon)
    norms = np.sqrt(np.sum(w**2)), np.sqrt(np.sum(d**2))
    ratio = norms[0] / norms[1] if all(norms) else 1.0
    return w - h.learning_rate * ratio * d


def lion(w, g, s, t, h):
    m = s.get("m", 0)
    s["m"] = h.beta_2 * m + (1 - h.beta_2) * g
    return w - h.learning_rate * np.sign(h.beta_1 * m + (1 - h.beta_1) * g)


def ftrl(w, g, s, t, h):
    p = -h.learning_rate_power
    old = s.get("n", np.full_like(g, h.initial_accumulator_value))
    n = s["n"] = old + g**2
    penalized = g + 2 * h.l2_shrinkage_regularization_strength * w
    z = s["z"] = s.get("z", 0) + penalized - (n**p - old**p) / h.learning_rate * w
    l1 = h.l1_regularization_strength
    curvature = (h.beta + n**p) / h.learning_rate + 2 * h.l2_regularization_strength
    return np.where(np.abs(z) <= l1, 0.0, (np.sign(z) * l1 - z) / curvature)


def adafactor(w, g, s, t, h):
    alpha = max(h.epsilon_2, np.sqrt(np.mean(w**2))) * min(h.learning_rate, 1 / np.sqrt(t))
    beta_2 = 1 - t**h.beta_2_decay
    squares = g**2 + h.epsilon_1
    if g.ndim >= 2:
        s["r"] = beta_2 * s.get("r", 0) + (1 - beta_2) * squares.mean(-1)
        s["c"] = beta_2 * s.get("c", 0) + (1 - beta_2) * squares.mean(-2)
        means = s["r"].mean(-1)[..., None, None]
        v = s["r"][..., :, None] * s["c"][..., None, :] / means
    else:
        v = s["v"] = beta_2 * s.get("v", 0) + (1 - beta_2) * squares
    u = g / np.sqrt(v)
    return w - alpha * u / max(1.0, np.sqrt(np.mean(u**2)) / h.clip_threshold)


def muon(w, g, s, t, h):
    if g.ndim != 2:
        w = w - h.learning_rate * (h.adam_weight_decay or 0) * w
        m, v = moments(g, s, h.adam_beta_1, h.adam_beta_2)
        root = np.sqrt(1 - h.adam_beta_2**t)
        alpha = h.learning_rate * h.adam_lr_ratio * root / (1 - h.adam_beta_1**t)
        return w - alpha * m / (np.sqrt(v) + h.epsilon)
    w = w - h.learning_rate * (h.weight_decay or 0) * w
    m = s["m"] = h.momentum * s.get("m", 0) + g
    x = g + h.momentum * m if h.nesterov else m
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(h.ns_steps):
        # Apply the polynomial to the singular values, from the left whatever the shape.
        a = x @ x.T
        x = h.muon_a * x + h.muon_b * a @ x + h.muon_c * a @ a @ x
    rate = 1 if h.rms_rate is None else h.rms_rate * np.sqrt(max(w.shape))
    return w - h.learning_rate * rate * x


def schedule_free_adamw(w, g, s, t, h):
    y, z, x = w, s.get("z", w), s.get("x", w)
    rate = h.learning_rate * min(1.0, t / max(h.warmup_steps, 1))
    s["weights"] = s.get("weights", 0) + rate**2
    c = rate**2 / s["weights"]
    _, v = moments(g, s, 0.0, h.beta_2)
    d = g / (np.sqrt(v / (1 - h.beta_2**t)) + h.epsilon) + (h.weight_decay or 0) * y
    z = s["z"] = z - rate * d
    x = s["x"] = (1 - c) * x + c * z
    return (1 - h.beta_1) * z + h.beta_1 * x


FORMULAS = {
    "SGD": sgd,
    "Adagrad": adagrad,
    "RMSprop": rmsprop,
    "Adadelta": adadelta,
    "Adam": adam,
    "AdamW": adam,
    "Adamax": adamax,
    "Nadam": nadam,
    "Lamb": lamb,
    "Lion": lion,
    "Ftrl": ftrl,
    "Adafactor": adafactor,
    "Muon": muon,
    "ScheduleFreeAdamW": schedule_free_adamw,
}
DECAY_BY_THEMSELVES = ("Muon", "ScheduleFreeAdamW")


def train_by_formula(name, start, gradients, **arguments):
    """Return the final weights of a formula; omitted arguments take the constructor's defaults."""
    parameters = inspect.signature(getattr(optimizers, name)).parameters.values()
    defaults = {parameter.name: parameter.default for parameter in parameters}
    h = SimpleNamespace(**{**defaults, **arguments})
    ends = []
    for position, w in enumerate(start):
        state = {}
        for t, gradient in enumerate(gradients, 1):
            g = gradient[position]
            if h.weight_decay and name not in DECAY_BY_THEMSELVES:
                if h.decoupled_weight_decay:
                    w = w - h.learning_rate * h.weight_decay * w
                else:
                    g = g + h.weight_decay * w
            w = FORMULAS[name](w, g, state, t, h)
        ends.append(w)
    return ends
