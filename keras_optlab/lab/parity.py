"""Distance of our optimizers from the built-ins, given the same start, gradients and arguments.

    for case in parity.cases(["Adam", "Muon"]):
        print(parity.measure(case))

Both run for `STEPS` steps, compiled as in `fit`; the gradients are a slope for each element plus
noise. The error of a variable is the largest difference between ours and the reference, beyond
`ULPS` units in the last place of the weight in float32, divided by the distance that the variable
travelled. The distance travelled is the largest |end - start| of its elements, which is at most
the length of its path. The error of a case is that of its worst variable.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple, final

import keras
import numpy as np
from keras.optimizers.schedules import CosineDecay, ExponentialDecay

from keras_optlab import optimizers
from keras_optlab.arguments.domain import Choice, Integer
from keras_optlab.conversion import built_in
from keras_optlab.testing.contexts import compiled_step
from keras_optlab.testing.problem import arrays

STEPS = 50
SHAPES = {"scalar": (), "vector": (5,), "matrix": (4, 3), "kernel": (2, 2, 3, 4)}
ULPS = {"float32": 8, "float64": 0}
# In float64, ours match the equations in NumPy to 1e-12, while the built-ins round decay, betas and
# 1 - beta to float32, which moves them off by up to 2e-7 of the distance.
TOLERANCES = {"float32": 2e-6, "float64": 3e-7}
# On TensorFlow and JAX, Keras' Nadam computes 1 - beta from float32 betas, which is 5e-5 off. The
# Newton-Schulz iteration (Muon) multiplies a rounding error by up to `muon_a` each time.
FLOAT32_TOLERANCES = {"Muon": 2e-5, "Nadam": 1e-5}

# Backends on which a built-in is no reference for float64 variables: it uses `keras.ops.norm` and
# `mean`, which are float32, and on TensorFlow Muon multiplies float64 by float32, which raises.
NO_FLOAT64_BUILT_IN = {"Adafactor": ("jax", "torch"), "Muon": ("jax", "tensorflow", "torch")}

# One array per variable.
Arrays = list[np.ndarray]


@final
@dataclass(frozen=True)
class Case:
    """An algorithm with constructor arguments."""

    algorithm: str
    arguments: dict[str, Any]

    @property
    def label(self) -> str:
        """The arguments as they would be typed, with a schedule shortened to its class."""
        plain = (bool, int, float, type(None))
        typed = [
            f"{name}={value if isinstance(value, plain) else type(value).__name__}"
            for name, value in self.arguments.items()
        ]
        return ", ".join(typed) or "defaults"

    @property
    def reference(self) -> str:
        """`"authors"` if the authors' equations replace a built-in that should not be followed."""
        return "authors" if self.algorithm == "ScheduleFreeAdamW" else "keras"

    def on(self, library: Any) -> keras.optimizers.Optimizer:
        """Create the optimizer from a library."""
        return getattr(library, self.algorithm)(**self.arguments)


def _case(algorithm: str, **arguments: Any) -> Case:
    return Case(algorithm, arguments)


def _falling(rate: float) -> ExponentialDecay:
    return ExponentialDecay(rate, 10, 0.8)


def _warm(rate: float) -> CosineDecay:
    return CosineDecay(0.0, 40, warmup_target=rate, warmup_steps=10)


DECAY = {"weight_decay": 0.05, "clipnorm": 1.0}
AVERAGED = {"clipvalue": 0.5, "use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 7}
ACCUMULATED = {"global_clipnorm": 1.0, "loss_scale_factor": 2.0, "gradient_accumulation_steps": 4}
ADAM_OF_MUON = {"adam_lr_ratio": 0.5, "adam_weight_decay": 0.1, "adam_beta_1": 0.8}
L2_OF_FTRL = {"l2_regularization_strength": 0.1, "l2_shrinkage_regularization_strength": 0.1}
# Two configurations per algorithm, besides its defaults. Together they use every base argument.
CASES = (
    _case("SGD", learning_rate=_warm(0.05), momentum=0.9, **AVERAGED),
    _case("SGD", momentum=0.8, nesterov=True, **DECAY),
    _case("Adadelta", learning_rate=1.0, rho=0.9, **DECAY),
    _case("Adadelta", epsilon=1e-4, **AVERAGED),
    _case(
        "Adafactor", learning_rate=_falling(0.1), beta_2_decay=-0.6, epsilon_2=0.01, **ACCUMULATED
    ),
    _case("Adafactor", learning_rate=0.5, clip_threshold=0.5, relative_step=False, **DECAY),
    _case("Adagrad", learning_rate=_falling(0.1), initial_accumulator_value=0.5, **DECAY),
    _case("Adagrad", epsilon=1e-3, **AVERAGED),
    _case("Adam", learning_rate=_warm(0.01), beta_1=0.8, beta_2=0.95, **AVERAGED),
    _case("Adam", amsgrad=True, epsilon=1e-4, **DECAY),
    _case("AdamW", weight_decay=0.1, beta_2=0.9, **ACCUMULATED),
    _case("AdamW", learning_rate=_falling(0.02), amsgrad=True, **AVERAGED),
    _case("Adamax", learning_rate=_falling(0.01), beta_1=0.5, **ACCUMULATED),
    _case("Adamax", beta_2=0.9, **DECAY),
    _case("Ftrl", learning_rate=0.1, l1_regularization_strength=0.5, beta=0.5, **DECAY),
    _case("Ftrl", learning_rate=_falling(0.05), learning_rate_power=-0.8, **L2_OF_FTRL, **AVERAGED),
    _case("Lamb", learning_rate=_falling(0.02), **DECAY),
    _case("Lamb", beta_1=0.5, **ACCUMULATED),
    _case("Lion", learning_rate=_warm(0.01), beta_1=0.95, beta_2=0.98, **DECAY),
    _case("Lion", beta_1=0.5, **ACCUMULATED),
    _case("Muon", learning_rate=_falling(0.02), nesterov=False, ns_steps=3, **AVERAGED),
    _case("Muon", rms_rate=None, momentum=0.8, **ADAM_OF_MUON, **DECAY),
    _case("Nadam", beta_1=0.8, beta_2=0.95, **DECAY),
    _case("Nadam", epsilon=1e-3, **AVERAGED),
    _case("RMSprop", learning_rate=_falling(0.01), momentum=0.9, **DECAY),
    _case("RMSprop", centered=True, rho=0.8, momentum=0.5, **ACCUMULATED),
    _case("ScheduleFreeAdamW", beta_1=0.8, beta_2=0.95),
    _case("ScheduleFreeAdamW", learning_rate=0.02, warmup_steps=10, weight_decay=0.05),
)
ALGORITHMS = tuple(dict.fromkeys(case.algorithm for case in CASES))


@final
class Result(NamedTuple):
    """Result of `measure`."""

    algorithm: str
    arguments: str  # `Case.label`
    reference: str  # `Case.reference`
    dtype: str  # Of the variables
    where: str  # Variable with the largest error, a key of `SHAPES`
    difference: float  # Largest absolute difference of its elements
    distance: float  # Distance that it travelled
    error: float  # Its difference beyond `ULPS` units in the last place, relative to the distance
    tolerance: float  # Largest error allowed

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance; NaN is not."""
        return self.error <= self.tolerance


def cases(names: Iterable[str] | None = None, dtype: str = "float32") -> list[Case]:
    """Return the cases of all or some algorithms that have a reference on the backend."""
    choice = Choice(ALGORITHMS)
    backend = keras.backend.backend()
    return [
        case
        for name in (ALGORITHMS if names is None else names)
        for case in (Case(name, {}), *CASES)
        if case.algorithm == choice.check("names", name)
        if case.reference == "authors" or built_in(getattr(optimizers, name)) is not None
        if dtype == "float32" or backend not in NO_FLOAT64_BUILT_IN.get(name, ())
    ]


def measure(case: Case, seed: int = 0, dtype: str = "float32") -> Result:
    """Run ours and its reference, and compare their final weights.

    On JAX, float64 variables need `JAX_ENABLE_X64=1`.
    """
    dtype = Choice(tuple(TOLERANCES)).check("dtype", dtype)
    start, gradients = problem(Integer(0).check("seed", seed), dtype)
    ours = run(case.on(optimizers), start, gradients)
    if case.reference == "authors":
        theirs = _schedule_free_adamw(start, gradients, **case.arguments)
    else:
        theirs = run(case.on(keras.optimizers), start, gradients)
    return compare(case, start, ours, theirs)


def tolerance_of(algorithm: str, dtype: str = "float32") -> float:
    """Return how far weights may be off, relative to the distance that they travelled."""
    larger = FLOAT32_TOLERANCES if dtype == "float32" else {}
    return larger.get(algorithm, TOLERANCES[dtype])


def problem(seed: int, dtype: str) -> tuple[Arrays, list[Arrays]]:
    """Return the start of each variable, and the gradients of each step."""
    random = np.random.default_rng(seed)
    start, slopes, *noise = [
        [random.normal(size=shape) for shape in SHAPES.values()] for _ in range(2 + STEPS)
    ]
    gradients = [
        [np.asarray(slope + off, dtype) for slope, off in zip(slopes, each, strict=True)]
        for each in noise
    ]
    return [np.asarray(value, dtype) for value in start], gradients


def run(optimizer: Any, start: Arrays, gradients: list[Arrays]) -> Arrays:
    """Return the final weights of training with these gradients."""
    variables = [
        # A copy, because torch would share the array's memory.
        keras.Variable(value.copy(), dtype=str(value.dtype), name=name)
        for value, name in zip(start, SHAPES, strict=True)
    ]
    optimizer.build(variables)
    step = compiled_step(optimizer, variables)
    for gradient in gradients:
        step(gradient)
    optimizer.finalize_variable_values(variables)
    return arrays(variables)


def compare(case: Case, start: Arrays, ours: Arrays, theirs: Arrays) -> Result:
    """Return the `Result` of two runs from the same start, for the variable furthest off."""
    # On torch, Keras multiplies the weights by 1 - weight_decay * learning_rate in float32, which
    # is off by up to half a unit in the last place per step; ours is not (compare the equations in
    # float64).
    optimizer = case.on(optimizers)
    decays = any(getattr(optimizer, name, None) for name in ("weight_decay", "adam_weight_decay"))
    rounding = STEPS * 2.0**-25 if decays and keras.backend.backend() == "torch" else 0.0
    results = []
    for name, begin, mine, other in zip(SHAPES, start, ours, theirs, strict=False):
        dtype = str(begin.dtype)
        difference = np.abs(mine.astype("float64") - other)
        allowed = ULPS[dtype] * np.spacing(np.abs(other).astype(dtype))
        allowed = allowed + rounding * np.maximum(np.abs(begin), np.abs(other))
        excess = np.max(np.maximum(difference - allowed, 0.0))
        distance = np.max(np.abs(other.astype("float64") - begin))
        error = float(excess / distance) if excess else 0.0
        figures = float(np.max(difference)), float(distance), error
        of_case = case.algorithm, case.label, case.reference, dtype, name
        results.append(Result(*of_case, *figures, tolerance_of(case.algorithm, dtype)))
    return max(results, key=lambda one: (np.nan_to_num(one.error, nan=np.inf), one.difference))


def _schedule_free_adamw(start: Arrays, gradients: list[Arrays], **arguments: Any) -> Arrays:
    """Return x of Defazio et al., 2024, by the operations of `schedulefree.AdamWScheduleFree`.

    Computes in the dtype of the start, because a weight of 1 that moves by 1e-4 loses more to
    rounding than the tolerance allows, in any implementation.
    """
    defaults = {"learning_rate": 0.0025, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
    h = SimpleNamespace(**{**defaults, "warmup_steps": 0, "weight_decay": 0.0, **arguments})
    ends = []
    for y, *its_gradients in zip(start, *gradients, strict=True):
        z, v, weights = y, np.zeros_like(y), 0.0
        for t, g in enumerate(its_gradients, 1):
            # An optimizer keeps its learning rate in float32.
            rate = float(np.float32(h.learning_rate)) * min(1.0, t / max(h.warmup_steps, 1))
            weights += rate**2
            c = rate**2 / weights
            v = h.beta_2 * v + (1 - h.beta_2) * g * g
            d = g / (np.sqrt(v / (1 - h.beta_2**t)) + h.epsilon) + h.weight_decay * y
            y = y + c * (z - y) + rate * (h.beta_1 * (1 - c) - 1) * d
            z = z - rate * d
        ends.append(y + (1 - 1 / h.beta_1) * (z - y))
    return ends
