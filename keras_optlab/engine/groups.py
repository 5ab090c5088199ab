"""Parameter groups: different hyperparameters for some of a model's variables."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, final

import keras

from keras_optlab.arguments.domain import NON_NEGATIVE, Optional, PatternOrFunction, Real, shown
from keras_optlab.arguments.schedule import NumberOrSchedule

Match = str | Callable[[keras.Variable], bool]


@final
@keras.saving.register_keras_serializable(package="keras_optlab")
class ParameterGroup:
    """Different hyperparameters for the variables that match. A group is immutable.

    If several groups of an optimizer match a variable, all of them apply: their multipliers
    multiply, and if two override the same hyperparameter, the last in the list wins.

    Args:
        match: Regular expression searched in `variable.path` (such as `"backbone/"` or
            `"bias$"`), or a function that takes the variable and returns a boolean. Only
            functions registered with `keras.saving.register_keras_serializable` can be saved.
        learning_rate_multiplier: Float >= 0 that multiplies the optimizer's learning rate,
            whatever sets it: a number, a schedule or a callback. 0 freezes the variables: they
            and their slots stay exactly as they are. Defaults to `1.0`.
        **overrides: Any other hyperparameter of the optimizer, such as `weight_decay=0.0` or
            `momentum=0.5`: a number, a `LearningRateSchedule`, or None where the optimizer takes
            it. Names and ranges are checked when the optimizer is built.

    Raises:
        TypeError: If `match` is neither a string nor a function of one argument, or another
            argument is not a number.
        ValueError: If `match` is not a regular expression, a number is out of range, or
            `learning_rate` is overridden.

    Example:

    >>> optimizer = keras_optlab.optimizers.AdamW(1e-3, groups=[
    ...     keras_optlab.ParameterGroup("backbone/", learning_rate_multiplier=0.1),
    ...     keras_optlab.ParameterGroup("bias$|gamma$|beta$", weight_decay=0.0),
    ... ])
    """

    match: Match
    learning_rate_multiplier: float
    own: dict[str, Any]

    def __init__(
        self, match: Match, learning_rate_multiplier: float = 1.0, **overrides: Any
    ) -> None:
        if "learning_rate" in overrides:
            raise ValueError(
                "A group cannot override `learning_rate`, which follows the optimizer's. "
                f"Received: learning_rate={shown(overrides['learning_rate'])}. Use "
                "`learning_rate_multiplier`."
            )
        vars(self).update(
            match=PatternOrFunction().check("match", match),
            learning_rate_multiplier=NON_NEGATIVE.check(
                "learning_rate_multiplier", learning_rate_multiplier
            ),
            own={
                name: Optional(NumberOrSchedule()).check(name, value)
                for name, value in overrides.items()
            },
        )

    @property
    def overrides(self) -> Mapping[str, Any]:
        """The hyperparameters that the group overrides, by name; read-only."""
        return MappingProxyType(self.own)

    def __setattr__(self, name: str, value: Any) -> None:
        raise TypeError(
            f"`{name}` of a ParameterGroup cannot be changed: its optimizer would not notice. "
            f"Received: {name}={shown(value)}. Make a new ParameterGroup."
        )

    def matches(self, variable: keras.Variable) -> bool:
        """Whether a variable belongs to the group."""
        if callable(self.match):
            return bool(self.match(variable))
        return re.search(self.match, path_of(variable)) is not None

    def get_config(self) -> dict[str, Any]:
        return {
            "match": keras.saving.serialize_keras_object(self.match),
            "learning_rate_multiplier": self.learning_rate_multiplier,
            **{
                name: keras.saving.serialize_keras_object(value)
                for name, value in self.overrides.items()
            },
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ParameterGroup":
        return cls(
            **{
                name: keras.saving.deserialize_keras_object(value)
                if isinstance(value, dict)
                else value
                for name, value in config.items()
            }
        )

    def __repr__(self) -> str:
        shown = [repr(self.match)]
        if self.learning_rate_multiplier != 1.0:
            shown.append(f"learning_rate_multiplier={self.learning_rate_multiplier}")
        shown += [f"{name}={value!r}" for name, value in self.overrides.items()]
        return f"ParameterGroup({', '.join(shown)})"


@final
@dataclass(frozen=True)
class Combination:
    """The combined effect of the groups that match a variable.

    Args:
        members: Numbers of the groups, counted from 1, in the order of the list.
        learning_rate_multiplier: Product of the groups' multipliers.
        overrides: Hyperparameters that the groups override; the last value of each wins.
    """

    members: tuple[int, ...] = ()
    learning_rate_multiplier: float = 1.0
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, groups: Sequence[ParameterGroup], variable: Any) -> "Combination":
        """Combine the groups in a list that match a variable."""
        members = [number for number, group in enumerate(groups, 1) if group.matches(variable)]
        chosen = [groups[number - 1] for number in members]
        overrides: dict[str, Any] = {}
        for group in chosen:
            overrides |= group.overrides
        multiplier = math.prod(group.learning_rate_multiplier for group in chosen)
        return cls(tuple(members), float(multiplier), overrides)


def path_of(variable: Any) -> str:
    """Return a variable's path, or its name: a plain `tf.Variable` has no path."""
    return getattr(variable, "path", variable.name)


def layerwise_decay(model: keras.Model, factor: float) -> list[ParameterGroup]:
    """Build groups whose learning rate shrinks by `factor` with each layer away from the output.

    The layer nearest the output keeps the optimizer's rate, the one before it gets `factor` of
    it, then `factor**2`, ... Layers without trainable variables do not count. A nested model
    counts layer by layer, any other layer (such as a transformer block) as one. Typical values
    for fine-tuning are 0.65 to 0.95 (ELECTRA, Clark et al., 2020; BEiT, Bao et al., 2021).

    Args:
        model: Built `keras.Model`.
        factor: Float in (0, 1].

    Returns:
        List of `ParameterGroup`, nearest the output first.

    Raises:
        TypeError: If `model` is not a model, or `factor` not a number.
        ValueError: If the model has no trainable variables yet, or `factor` is out of range.

    Example:

    >>> groups = keras_optlab.layerwise_decay(model, 0.8)
    >>> optimizer = keras_optlab.optimizers.AdamW(1e-4, groups=groups)
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"`model` must be a `keras.Model`. Received: model={shown(model)} (of type "
            f"{type(model).__name__})."
        )
    factor = Real(0.0, 1.0, open_low=True).check("factor", factor)
    seen: set[int] = set()
    layers = []
    for layer in reversed(_flatten(model)):
        paths = [v.path for v in layer.trainable_variables if id(v) not in seen]
        seen.update(id(v) for v in layer.trainable_variables)
        if paths:
            layers.append(paths)
    if not layers:
        raise ValueError(
            "`layerwise_decay` needs a model with trainable variables. Received: "
            f"model={model.name!r} without any. Build it first: call it on a batch of data."
        )
    return [
        ParameterGroup(
            f"^({'|'.join(re.escape(path) for path in paths)})$",
            learning_rate_multiplier=factor**distance,
        )
        for distance, paths in enumerate(layers)
    ]


def _flatten(model: keras.Model) -> list[keras.Layer]:
    layers = []
    for layer in model.layers:
        layers += _flatten(layer) if isinstance(layer, keras.Model) else [layer]
    return layers
