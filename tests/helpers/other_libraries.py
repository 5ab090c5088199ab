"""Algorithms of other libraries that ours must match, with the arguments for each library.

`tests/record.py` runs theirs and records the weights; the tests run ours against the record.
"""

from dataclasses import dataclass
from typing import Any

RATE, BETA_1, BETA_2 = 2**-6, 0.90625, 1 - 2**-10
BETAS = {"beta_1": BETA_1, "beta_2": BETA_2}
TORCH_BETAS = {"betas": (BETA_1, BETA_2)}
OPTAX_BETAS = {"b1": BETA_1, "b2": BETA_2}
ALGORITHM_1 = {"bias_correction": "algorithm_1", "epsilon": 1e-3, **BETAS}
IN_GRADIENT = {"weight_decay": 0.25, "decoupled_weight_decay": False}
OUTSIDE = {"momentum": 0.875, "learning_rate_in_velocity": False}


@dataclass(frozen=True)
class Case:
    """One of our algorithms and its equivalent in another library.

    Args:
        ours: Name of our class.
        arguments: Arguments of our class.
        theirs: Name of the class or function in `library`.
        their_arguments: Arguments of their class or function.
        library: Module that contains it.
    """

    ours: str
    arguments: dict[str, Any]
    theirs: str
    their_arguments: dict[str, Any]
    library: str = "torch.optim"

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value}" for name, value in self.their_arguments.items())
        return f"{self.library}.{self.theirs}({arguments})"


TORCH = [
    Case("SGD", {}, "SGD", {}),
    Case("SGD", OUTSIDE, "SGD", {"momentum": 0.875}),
    Case("SGD", {"nesterov": True, **OUTSIDE}, "SGD", {"momentum": 0.875, "nesterov": True}),
    Case("SGD", {**OUTSIDE, **IN_GRADIENT}, "SGD", {"momentum": 0.875, "weight_decay": 0.25}),
    Case(
        "Adagrad",
        {"epsilon": 1e-3, "epsilon_inside_root": False, "initial_accumulator_value": 0.125},
        "Adagrad",
        {"eps": 1e-3, "initial_accumulator_value": 0.125},
    ),
    Case(
        "RMSprop",
        {"rho": 0.875, "epsilon": 1e-3, "epsilon_inside_root": False, "momentum": 0.5},
        "RMSprop",
        {"alpha": 0.875, "eps": 1e-3, "momentum": 0.5},
    ),
    Case(
        "RMSprop",
        {"rho": 0.875, "epsilon": 1e-3, "epsilon_inside_root": False, "centered": True},
        "RMSprop",
        {"alpha": 0.875, "eps": 1e-3, "centered": True},
    ),
    Case("Adadelta", {"rho": 0.875, "epsilon": 1e-3}, "Adadelta", {"rho": 0.875, "eps": 1e-3}),
    Case("Adam", ALGORITHM_1, "Adam", {**TORCH_BETAS, "eps": 1e-3}),
    Case(
        "Adam",
        {**ALGORITHM_1, "beta_2": 0.5, "amsgrad": True},
        "Adam",
        {"betas": (BETA_1, 0.5), "eps": 1e-3, "amsgrad": True},
    ),
    Case(
        "Adam",
        {**ALGORITHM_1, **IN_GRADIENT},
        "Adam",
        {**TORCH_BETAS, "eps": 1e-3, "weight_decay": 0.25},
    ),
    Case(
        "AdamW",
        {**ALGORITHM_1, "weight_decay": 0.25},
        "AdamW",
        {**TORCH_BETAS, "eps": 1e-3, "weight_decay": 0.25},
    ),
    # PyTorch adds epsilon to |g|, Keras to u.
    Case("Adamax", {"epsilon": 0.0, **BETAS}, "Adamax", {**TORCH_BETAS, "eps": 0.0}),
    # PyTorch's momentum schedule has the exponent 0.004 t by default, Keras' has t.
    Case(
        "Nadam",
        {"epsilon": 1e-3, **BETAS},
        "NAdam",
        {**TORCH_BETAS, "eps": 1e-3, "momentum_decay": 1.0},
    ),
]


def _optax(ours, arguments, theirs, **their_arguments):
    return Case(ours, arguments, theirs, their_arguments, "optax")


OPTAX = [
    _optax(
        "Adagrad",
        {"initial_accumulator_value": 0.125},
        "adagrad",
        initial_accumulator_value=0.125,
        eps=1e-7,
    ),
    _optax("Adadelta", {"epsilon": 1e-3}, "adadelta", rho=0.95, eps=1e-3),
    _optax(
        "RMSprop",
        {"rho": 0.875, "epsilon": 1e-3, "centered": True, "momentum": 0.5},
        "rmsprop",
        decay=0.875,
        eps=1e-3,
        centered=True,
        momentum=0.5,
    ),
    _optax("Adam", ALGORITHM_1, "adam", **OPTAX_BETAS, eps=1e-3),
    _optax("Lion", BETAS, "lion", **OPTAX_BETAS, weight_decay=0.0),
    _optax("Lamb", {"epsilon": 1e-3, **BETAS}, "lamb", **OPTAX_BETAS, eps=1e-3),
    _optax("Adafactor", {"epsilon_2": 2**-10}, "adafactor", min_dim_size_to_factor=2),
]


def _schedule_free(beta_1=BETA_1, warmup_steps=0, **decay):
    return Case(
        "ScheduleFreeAdamW",
        {"beta_1": beta_1, "beta_2": BETA_2, "warmup_steps": warmup_steps, **decay},
        "AdamWScheduleFree",
        {"betas": (beta_1, BETA_2), "warmup_steps": warmup_steps, **decay},
        "schedulefree",
    )


SCHEDULE_FREE = [
    _schedule_free(),
    _schedule_free(beta_1=0.5, warmup_steps=8),
    _schedule_free(beta_1=0.75, warmup_steps=30, weight_decay=0.25),
]
