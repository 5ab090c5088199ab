"""The contract of an algorithm: what the engine knows of an optimizer, and all that it calls."""

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
    """A formula: slots, scalars, what derives from hyperparameters, passes and the step; abstract.

    See `Optimizer`, which is one, for what `g`, `p`, `s` and `h` are.
    """

    # What an element of the result depends on. Say `Scope.ELEMENT` only of a formula without any
    # norm, mean or product over a variable: it is then cut into blocks, and several are joined.
    # `Scope.ROW` is for one that has them over rows alone.
    scope: ClassVar[Scope] = Scope.VARIABLE
    # Whether it draws random numbers: step, passes and periodic work then have `h.random`.
    draws: ClassVar[bool] = False

    # Optional hooks of a subclass. None where the formula has no use for them. The types do not say
    # what the hooks take, since a method would not be of such a type.
    #
    # scalars() -> dict of `Scalar`: state kept once for all variables.
    scalars: Callable[..., dict[str, Scalar]] | None = None
    # derive(h) -> dict: what the formula needs once a step, not once a variable. `h` has the
    # scalars as the step before has left them.
    derive: Callable[..., dict[str, Any]] | None = None
    # advance(state, sums, h) -> dict: the new scalars, and anything else that then stands in `h`.
    # Comes after `derive` and after the sums over the model, if there are any.
    advance: Callable[..., dict[str, Any]] | None = None
    # Name of the hyperparameter that decays the variables.
    decay_hyperparameter: ClassVar[str] = "weight_decay"
    # Name of the hyperparameter that is added to the norm of all gradients where that is clipped.
    global_clip_epsilon: ClassVar[str] = ""
    # Whether `step` itself decays the parameter, by `h.decay`, which is None where nothing does.
    decays_in_update: ClassVar[bool] = False
    # The passes before the step, in the order of definition: methods that `sums` marks.
    passes: ClassVar[tuple[Pass, ...]] = ()
    # What is done after the step where a condition holds: methods that `when` marks.
    periodic: ClassVar[tuple[Periodic, ...]] = ()
    # rests_at_zero() -> whether a zero gradient (without weight decay) changes nothing.
    rests_at_zero: Callable[..., bool] | None = None
    # Why `lazy=True` makes no sense, or why slots cannot be kept in bfloat16; "" where they can.
    not_lazy: ClassVar[str] = ""
    needs_exact_slots: ClassVar[str] = ""
    # Where training takes place at another point than evaluation, each from the other:
    # evaluation_point(p, s, h) and training_point(p, s, h) -> parameter.
    evaluation_point: Callable[..., Any] | None = None
    training_point: Callable[..., Any] | None = None

    @abstractmethod
    def slots(self, variable: Any) -> dict[str, Slot]:
        """The slots of a variable, by the name that `step` knows them by."""

    @abstractmethod
    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        """The formula: the step, which is subtracted from the parameter, and the new slots.

        Args:
            g: Gradient.
            p: Parameter, of the same shape.
            s: Slots, by name.
            h: Hyperparameters of this step by name, see the class.
        """

    @property
    def model_passes(self) -> list[Pass]:
        """The passes with sums over the model, each of which all variables go through first."""
        return [each for each in self.passes if each.is_over_model]

    def route(self, variable: Any) -> "Algorithm":
        """What updates a variable: this algorithm, or another one for this kind of variables."""
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_scope(cls)
        check_names(cls)
        cls.passes = passes_of(cls)
        cls.periodic = periodic_of(cls)
