"""Hyperparameters: numbers of a formula that are variables of the compiled step.

A built-in optimizer keeps `momentum` as a Python number, which a compiled step bakes in. Here it
is a scalar variable, made in `build`, so setting it takes effect even in a compiled step.
"""

from typing import Any, final

import keras
from keras import ops

from keras_optlab.arguments.declaration import Argument, Section
from keras_optlab.arguments.domain import NON_NEGATIVE, Domain, Function, shown
from keras_optlab.arguments.schedule import Schedule
from keras_optlab.backends import backend

LearningRateSchedule = keras.optimizers.schedules.LearningRateSchedule

# Prefix of the name of one minus a hyperparameter.
COMPLEMENT = "one_minus_"


def shortest(number: Any) -> float:
    """Return the shortest decimal for a low-precision number: 0.9, not 0.8999999762."""
    return float(str(number))


@final
class Setting:
    """A hyperparameter of one optimizer: its value, and its variables once built."""

    def __init__(self, value: float | LearningRateSchedule | None) -> None:
        # A number, a schedule or None.
        self.value: Any = value
        self.variable: keras.Variable | None = None
        self.complement: keras.Variable | None = None

    @property
    def is_schedule(self) -> bool:
        return isinstance(self.value, LearningRateSchedule)

    def store(self, value: float) -> None:
        """Set the number, on the host and in the variables that the compiled step reads."""
        self.value = value
        if self.variable is not None:
            self.variable.assign(value)
        if self.complement is not None:
            self.complement.assign(1.0 - value)

    def current(self) -> Any:
        """Return the number or schedule; inside a compiled step, the variable."""
        if self.variable is None:
            return self.value
        held = backend.to_host(self.variable)
        if held is None:
            return self.variable
        if held != held.dtype.type(self.value):
            # The variable itself was assigned: restored weights, or a JAX state.
            self.value = shortest(held)
        return self.value

    def tensor(self, step: Any, dtype: str) -> Any:
        """Return the value at this step as a scalar of `dtype`."""
        if self.is_schedule:
            return ops.cast(self.value(step), dtype)
        if self.variable is None:
            return ops.convert_to_tensor(self.value, dtype)
        return ops.cast(self.variable, dtype)

    def complement_tensor(self, step: Any, dtype: str) -> Any:
        """Return one minus the value, subtracted in double precision where possible."""
        if self.is_schedule:
            return 1.0 - self.tensor(step, dtype)
        if self.complement is None:
            return ops.convert_to_tensor(1.0 - self.value, dtype)
        return ops.cast(self.complement, dtype)


class Hyperparameter(Argument):
    """A number, or a schedule of one, that may change during training.

    Args:
        domain: `Domain` of the number.
        default: Number, or None for a hyperparameter that is not used unless given.
        section: `Section` of the signature.
        off: Value that switches the hyperparameter off, permanently once the optimizer is built
            (None, or 0.0 for a momentum that then has no slot).
        complement: Whether formulas use one minus the number, as for decay rates. It is then
            stored too, subtracted in double precision (in float32, `1 - 0.999` is off by 1e-5).
        only_with: Name of an option without which the hyperparameter is not used.
        optional: Whether None is allowed; always true if None is the default.
        keras_says: As in `Argument`.
    """

    def __init__(
        self,
        domain: Domain,
        default: float | None,
        section: Section = Section.OWN,
        off: float | None = None,
        complement: bool = False,
        only_with: str | None = None,
        optional: bool = False,
        keras_says: str = "",
    ) -> None:
        super().__init__(domain, default, section, keras_says)
        self.optional = optional or default is None
        self.off = off
        self.only_with = only_with
        self.complement = complement

    def normalize(self, value: Any) -> Any:
        if isinstance(value, LearningRateSchedule):
            return self.checked_schedule(value)
        if value is None and self.optional:
            return value
        return self.domain.check(self.name, value, self.keras_says)

    def checked_schedule(self, schedule: LearningRateSchedule) -> LearningRateSchedule:
        """Return a schedule; raise an error if it is ours and its first value is not allowed."""
        if isinstance(schedule, Schedule):
            first = schedule.at(0)
            try:
                self.domain.normalize(first)
            except ValueError:
                raise ValueError(
                    f"`{self.name}` must be {self.domain.describe()}, at each step of a schedule "
                    f"too. Received: {self.name}={shown(schedule)}, which is {first:g} at step 0."
                ) from None
        return schedule

    def is_off(self, value: Any) -> bool:
        """Whether a value means that the hyperparameter is not used."""
        return value is None or (self.off is not None and value == self.off)

    def is_needed(self, instance: Any) -> bool:
        """Whether the hyperparameter is used, given the options of an optimizer."""
        return self.only_with is None or getattr(instance, self.only_with)

    def setting(self, instance: Any) -> Setting:
        """Return an optimizer's `Setting` for this hyperparameter."""
        return vars(instance)["settings"][self.name]


@final
class Number(Hyperparameter):
    """Any hyperparameter except the learning rate."""

    def read(self, instance: Any) -> Any:
        try:
            return self.setting(instance).current()
        except KeyError:
            raise AttributeError(
                f"'{type(instance).__name__}' object has no attribute '{self.name}'"
            ) from None

    def write(self, instance: Any, value: Any) -> None:
        value = self.normalize(value)
        settings = vars(instance).setdefault("settings", {})
        if not vars(instance).get("built", False):
            settings[self.name] = Setting(value)
            return
        setting = settings[self.name]
        if setting.is_schedule or isinstance(value, LearningRateSchedule):
            raise TypeError(
                f"`{self.name}` cannot be set to or from a schedule once the optimizer is built, "
                f"since the compiled step holds the schedule. Received: "
                f"{self.name}={shown(value)}. Give the schedule to the constructor of "
                f"{type(instance).__name__}."
            )
        if setting.variable is None:
            if value != setting.value:
                raise ValueError(
                    f"This {type(instance).__name__} was built with "
                    f"{self.name}={setting.value}, which does not use `{self.name}`, so it "
                    f"cannot be set any more. Received: {self.name}={shown(value)}. Give a value "
                    f"other than {setting.value} to the constructor"
                    + ("." if self.off is None else f", or settable=['{self.name}'].")
                )
            return
        if value is None:
            raise ValueError(
                f"`{self.name}` is in use in the compiled step and cannot be switched off by "
                f"None. Received: {self.name}=None. Set a number instead."
            )
        setting.store(value)

    def configuration(self, instance: Any) -> Any:
        value = self.read(instance)
        if isinstance(value, LearningRateSchedule):
            return keras.saving.serialize_keras_object(value)
        return value


@final
class LearningRate(Hyperparameter):
    """The learning rate, which Keras itself stores: a variable, a schedule or a callable."""

    def normalize(self, value: Any) -> Any:
        if isinstance(value, LearningRateSchedule):
            return self.checked_schedule(value)
        if callable(value) and not isinstance(value, keras.Variable):
            return Function(arguments=0).check(self.name, value)
        if isinstance(value, keras.Variable) or ops.is_tensor(value):
            held = backend.to_host(value)
            if held is None:
                return value
            value = held
        return self.domain.check(self.name, value, self.keras_says)

    def read(self, instance: Any) -> Any:
        held = instance.held_learning_rate
        if isinstance(held, LearningRateSchedule):
            scale = instance.engine.numbers.scale
            factor = scale.value if scale.variable is None else scale.variable
            return held(instance.step_count) * factor
        return held() if callable(held) and not isinstance(held, keras.Variable) else held

    def write(self, instance: Any, value: Any) -> None:
        value, held = self.normalize(value), instance.held_learning_rate
        if isinstance(value, LearningRateSchedule) or (
            callable(value) and not isinstance(value, keras.Variable)
        ):
            if instance.engine.traced:
                raise TypeError(
                    "The learning rate cannot become a schedule in a step that is compiled "
                    f"already. Received: learning_rate={value!r}. Make a new optimizer with it."
                )
            instance.hold_learning_rate(value)
        elif isinstance(held, keras.Variable):
            held.assign(value)
        else:
            raise TypeError(
                "This optimizer was created with a `LearningRateSchedule` object as its "
                "`learning_rate` constructor argument, hence its learning rate is not settable. If "
                "you need the learning rate to be settable, you should instantiate the optimizer "
                f"with a float `learning_rate` argument. Received: learning_rate={value!r}. Or set "
                "`learning_rate_scale` to multiply the schedule."
            )

    def original(self, instance: Any) -> Any:
        held = instance.held_learning_rate
        return shortest(backend.to_host(held)) if isinstance(held, keras.Variable) else held

    def configuration(self, instance: Any) -> Any:
        held = instance.held_learning_rate
        if isinstance(held, keras.Variable):
            return shortest(backend.to_host(held))
        return keras.saving.serialize_keras_object(held)


class Option(Argument):
    """An argument that determines what is built, and is fixed from then on."""

    def write(self, instance: Any, value: Any) -> None:
        value = self.normalize(value)
        if vars(instance).get("built", False) and value != self.read(instance):
            raise ValueError(
                f"`{self.name}` decides what is built and cannot be changed afterwards. "
                f"Received: {self.name}={shown(value)}. Give it to the constructor of "
                f"{type(instance).__name__}."
            )
        super().write(instance, value)


def learning_rate(default: float, domain: Domain = NON_NEGATIVE) -> Any:
    """Declare the learning rate: a number, a schedule, or a callable without arguments."""
    return LearningRate(domain, default)


def hyperparameter(
    default: float | None, domain: Domain, section: Section = Section.OWN, **use: Any
) -> Any:
    """Declare a number that may be scheduled, set during training, and differ between groups.

    All other arguments are those of `Hyperparameter`.
    """
    return Number(domain, default, section, **use)


def option(
    default: Any, domain: Domain, section: Section = Section.OWN, keras_says: str = ""
) -> Any:
    """Declare an argument that is fixed when the optimizer is built."""
    return Option(domain, default, section, keras_says)
