"""The contract of an algorithm: all that the engine knows about an optimizer and calls on it."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

from keras_optlab.engine.passes import Pass, Periodic, check_names, passes_of, periodic_of
from keras_optlab.engine.random_stream import check_scope
from keras_optlab.engine.scope import Scope
from keras_optlab.engine.slots import Scalar, Slot

Values = SimpleNamespace


class Algorithm(metaclass=ABCMeta):
    """A formula: slots, scalars, values derived from hyperparameters, passes, the step; abstract.

    See the subclass `Optimizer` for the meaning of `g`, `p`, `s` and `h`.
    """

    # What an element of the result depends on. Set `Scope.ELEMENT` only for a formula without any
    # norm, mean or product over a variable: variables are then cut into blocks or joined.
    # `Scope.ROW` is for a formula that has them only within rows.
    scope: ClassVar[Scope] = Scope.VARIABLE
    # Whether the formula draws random numbers. Step, passes and periodic work then get `h.random`.
    draws: ClassVar[bool] = False

    # Optional hooks of a subclass; None if the formula does not need them. The types leave out the
    # arguments, since a method would not match such a type.
    #
    # scalars() -> dict of `Scalar`: state kept once for all variables.
    scalars: Callable[..., dict[str, Scalar]] | None = None
    # derive(h) -> dict: values computed once per step, not once per variable. `h` holds the
    # scalars as the previous step left them.
    derive: Callable[..., dict[str, Any]] | None = None
    # advance(state, sums, h) -> dict: the new scalars, and any other values to add to `h`.
    # Runs after `derive`, and after the sums over the model if there are any.
    advance: Callable[..., dict[str, Any]] | None = None
    # Name of the hyperparameter that decays the variables.
    decay_hyperparameter: ClassVar[str] = "weight_decay"
    # Name of the hyperparameter added to the norm of all gradients when `global_clipnorm` clips it.
    global_clip_epsilon: ClassVar[str] = ""
    # Whether `step` itself decays the parameter, by `h.decay` (None if there is no decay).
    decays_in_update: ClassVar[bool] = False
    # The passes before the step, in order of definition: methods marked with `@sums()`.
    passes: ClassVar[tuple[Pass, ...]] = ()
    # Work after the step, done only if a condition holds: methods marked with `@when(...)`.
    periodic: ClassVar[tuple[Periodic, ...]] = ()
    # rests_at_zero() -> whether a zero gradient (without weight decay) changes nothing.
    rests_at_zero: Callable[..., bool] | None = None
    # Why `lazy=True` makes no sense, and why slots cannot be kept in bfloat16; "" if allowed.
    not_lazy: ClassVar[str] = ""
    needs_exact_slots: ClassVar[str] = ""
    # For training at one point and evaluating at another; each hook computes its point from the
    # other: evaluation_point(p, s, h) and training_point(p, s, h) -> parameter.
    evaluation_point: Callable[..., Any] | None = None
    training_point: Callable[..., Any] | None = None

    @abstractmethod
    def slots(self, variable: Any) -> dict[str, Slot]:
        """Return the slots of a variable, by the names that `step` uses."""

    @abstractmethod
    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        """Return the step, which is subtracted from the parameter, and the new slots.

        Args:
            g: Gradient.
            p: Parameter, of the same shape.
            s: Slots, by name.
            h: Hyperparameters of this step by name; see the class.
        """

    @property
    def model_passes(self) -> list[Pass]:
        """The passes that sum over the model. All variables finish one before any goes on."""
        return [each for each in self.passes if each.is_over_model]

    def route(self, variable: Any) -> "Algorithm":
        """Return the algorithm that updates a variable: this one, or another for its kind."""
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_scope(cls)
        check_names(cls)
        cls.passes = passes_of(cls)
        cls.periodic = periodic_of(cls)
