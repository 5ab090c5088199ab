"""The base class of optimizers: everything except the formula."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import keras
import numpy as np

from keras_optlab.arguments.declaration import Section
from keras_optlab.arguments.domain import NON_NEGATIVE
from keras_optlab.arguments.hyperparameter import LearningRateSchedule
from keras_optlab.backends import backend
from keras_optlab.engine import building, sparse
from keras_optlab.engine.algorithm import Algorithm
from keras_optlab.engine.argument_checks import check_lengths, check_together
from keras_optlab.engine.description import describe
from keras_optlab.engine.engine import Engine
from keras_optlab.engine.exclusions import Exclusions
from keras_optlab.engine.groups import path_of
from keras_optlab.engine.shared_arguments import SharedArguments
from keras_optlab.engine.state import ExtraState
from keras_optlab.engine.storage import arithmetic_dtype
from keras_optlab.engine.transform import placed
from keras_optlab.engine.two_points import TwoPoints
from keras_optlab.keras_glue.hooks import HookedOptimizer


class Optimizer(SharedArguments, Algorithm, TwoPoints):
    """Base class of all optimizers in this package; abstract.

    A subclass is a formula. It declares its arguments (`learning_rate`, `hyperparameter`,
    `option`), its `slots`, and a pure `step`:

        step, new_slots = step(g, p, s, h)

    for gradient g, parameter p and slots s. The step is subtracted from the parameter. `s` and `h`
    are namespaces. `h` holds the hyperparameters of this step by name, the step number `h.t`
    (counted from 1), `h.one_minus_<name>` for decay rates, and whatever `derive` adds: tensors of
    at least float32, as are g, p and the slots. It also has the tuple `h.shape`, the variable's
    shape; `h.decay`, the rate of a weight decay that acts on the parameter, or None; and, if the
    class sets `draws = True`, `h.random`, which generates random numbers (see `RandomStream`). The
    formula does not cast, look up or assign anything.
    """

    # The engine does all the work. Keras' savers find `extra_state`, which built-ins do not have.
    engine: Engine
    extra_state: ExtraState

    # Called with each new optimizer, to install the hooks into Keras that it needs.
    when_made: ClassVar[list[Callable[["Optimizer"], None]]] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        package = cls.__module__.partition(".")[0]
        keras.saving.register_keras_serializable(package=package)(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        values = self.bind(args, kwargs)
        rate, name = values.pop("learning_rate"), values.pop("name")
        decay = values["weight_decay"]
        HookedOptimizer.__init__(self, learning_rate=rate, name=name, weight_decay=decay)
        engine = Engine(self)
        extra_state = ExtraState(formula_name(type(self)), engine.saved_state.reject)
        self.keep(engine=engine, extra_state=extra_state)
        for argument_name, value in values.items():
            setattr(self, argument_name, value)
        engine.transforms = placed(self.transforms or ())
        check_together(self)
        for called in self.when_made:
            called(self)

    @property
    def learning_rate_scale(self) -> float:
        """Factor that multiplies a learning-rate schedule; 1.0 unless set."""
        return self.engine.numbers.scale.current()

    @learning_rate_scale.setter
    def learning_rate_scale(self, value: float) -> None:
        if not isinstance(self.held_learning_rate, LearningRateSchedule):
            raise TypeError(
                "`learning_rate_scale` is for optimizers whose learning rate is a schedule. "
                f"Received: learning_rate_scale={value!r} where it is a number. Set "
                "`learning_rate` itself."
            )
        self.engine.numbers.scale.store(NON_NEGATIVE.check("learning_rate_scale", value))

    def uses(self, name: str) -> bool:
        """Whether a hyperparameter is in use, in the optimizer or in one of its groups."""
        return self.engine.numbers.uses(name)

    # Building

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables of the optimizer: the built-in's in its order, then those that it lacks."""
        return [*self.saved_variables, *self.extra_state.variables.values()]

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Any] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Exclude variables from weight decay. Call this before the optimizer is built.

        Args:
            var_list: Variables to exclude.
            var_names: Regular expressions searched in a variable's name and path.

        Raises:
            ValueError: If the optimizer is already built, or a name is not a regular expression.
            TypeError: If `var_names` is not a list of strings.
        """
        if self.built:
            raise ValueError(
                "`exclude_from_weight_decay()` can only be configured before the optimizer is "
                "built. Make a new optimizer, or call it before the first step."
            )
        identities = {self.identity(variable) for variable in var_list or ()}
        self.engine.exclusions = Exclusions.of(identities, var_names)

    @backend.as_written
    def build(self, variables: Iterable[Any]) -> None:
        """Create the slots and hyperparameter variables for a list of variables.

        Raises:
            ValueError: If a group matches no variable or overrides a nonexistent hyperparameter.
        """
        if self.built:
            return
        self.engine.built_in_trace = backend.in_trace()
        # Keras may build while tracing, where saved state could not be restored.
        with backend.outside_trace():
            building.build(self, list(variables), super().build)

    def add_variable_from_reference(
        self,
        reference_variable: Any,
        name: str | None = None,
        initializer: Any = "zeros",
        dtype: str | None = None,
    ) -> keras.Variable:
        """Create a state variable with the shape of another variable.

        Args:
            reference_variable: Variable that gives the shape.
            name: String, the end of the name.
            initializer: Initializer, or the name of one.
            dtype: String; None for the dtype of the arithmetic. Averages and sums kept in the half
                precision of their variable would stall.
        """
        dtype = dtype or arithmetic_dtype(reference_variable)
        if dtype == keras.backend.standardize_dtype(reference_variable.dtype):
            return super().add_variable_from_reference(reference_variable, name, initializer)
        return self.add_variable(
            shape=reference_variable.shape,
            initializer=initializer,
            dtype=dtype,
            layout=self.layout_of(reference_variable),
            name=f"{path_of(reference_variable).replace('/', '_')}_{name or 'var'}",
        )

    # The step

    @backend.as_written
    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Update variables using their gradients.

        Args:
            grads: List of gradients, one per variable; None for a variable without one.
            trainable_variables: List of variables, for which the optimizer is built if it is not
                built yet. None for those that it was built with.
        """
        self.engine.saved_state.before_load = None
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
        variables = trainable_variables or (self.built_on if self.built else [])
        if trainable_variables:
            check_lengths(grads, variables)
        # Otherwise Keras raises, or has nothing to do.
        if len(variables) == len(grads):
            grads = sparse.as_applied(grads, variables, bool(self.gradient_accumulation_steps))
        guards = self.nonfinite != "apply" and not all(gradient is None for gradient in grads)
        if guards and not self.built:
            with keras.name_scope(self.name, caller=self):
                self.build(variables)
        if not (guards and self.engine.faults):
            super().apply(grads, trainable_variables)
            return
        self.engine.faults.guard(self, super().apply, list(grads), variables)
        if backend.to_host(self.step_count) is not None:
            self.report_faults()

    @property
    def skipped_steps(self) -> int:
        """Number of steps skipped because a gradient was not finite; saved with the state."""
        return self.engine.faults.count() if self.engine.faults else 0

    def report_faults(self) -> None:
        """Warn about the first skipped step, or raise, depending on `nonfinite`.

        `fit` calls this, and so does `apply` when it runs eagerly. Call it yourself after
        custom compiled steps, which can neither warn nor raise.

        Raises:
            ValueError: With `nonfinite="raise"`, if a gradient was not finite; once per fault.
        """
        if self.engine.faults:
            self.engine.faults.report(self.built_on, self.nonfinite == "raise")

    @backend.as_written
    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable like a step at the current `iterations`, but without weight decay.

        Args:
            gradient: Tensor, the gradient.
            variable: Variable that the optimizer was built with.
            learning_rate: Float or scalar tensor.
        """
        with backend.no_gradient():
            self.engine.stepper.update_one(gradient, variable, learning_rate)

    # State

    @property
    def slots_by_name(self) -> dict[str, dict[str, keras.Variable]]:
        """Slots by variable path and slot name; empty until the optimizer is built."""
        pairs = zip(self.built_on, self.engine.plans, strict=True) if self.built else ()
        return {path_of(variable): dict(own.slots) for variable, own in pairs}

    def __repr__(self) -> str:
        return describe(self)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments with their current values.

        Arguments that Keras does not have are included only if they differ from their default,
        so that a built-in accepts the config too.
        """
        return {
            name: value
            for name, value in self.configuration().items()
            if self.declared_arguments[name].section is not Section.KEYWORD_ONLY
            or value != self.declared_arguments[name].default
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "Optimizer":
        """Create an optimizer from its config, or from that of the built-in."""
        return cls(
            **{
                name: keras.saving.deserialize_keras_object(value, custom_objects)
                if isinstance(value, (dict, list))
                else value
                for name, value in config.items()
            }
        )

    def save_own_variables(self, store: Any) -> None:
        """Write the variables that the built-in also has, in its layout."""
        self.engine.saved_state.write(store)

    def load_own_variables(self, store: Any) -> None:
        """Read what `save_own_variables` of this optimizer or of the built-in wrote.

        An optimizer that is not built yet keeps the state and restores it when it is built.

        Raises:
            ValueError: If the state does not fit this optimizer; nothing is changed then.
        """
        self.engine.saved_state.read(store)

    def __reduce__(self) -> tuple:
        """Support pickling and copying; the state goes to the variables the copy is built with."""
        arguments = {
            name: declared.original(self) for name, declared in self.declared_arguments.items()
        }
        contents = self.engine.saved_state.contents()
        return _rebuild, (type(self), arguments, *contents, self.engine.exclusions.pattern)


def formula_name(cls: type[Optimizer]) -> str:
    """Return the name by which files identify the formula of a class.

    A user's class has a different name from ours, even if both are called `SGD`.
    """
    step = cls.step
    is_ours = step.__module__.partition(".")[0] == __name__.partition(".")[0]
    name = step.__qualname__.replace(".step", ".update")
    return name if is_ours else f"custom>{name}"


def _rebuild(
    cls: type[Optimizer],
    arguments: dict[str, Any],
    state: list[np.ndarray] | None,
    extra: dict[str, np.ndarray],
    excluded_pattern: re.Pattern | None,
) -> Optimizer:
    optimizer = cls(**arguments)
    optimizer.engine.saved_state.pending = state
    optimizer.extra_state.restore(extra)
    optimizer.engine.exclusions = Exclusions(pattern=excluded_pattern)
    return optimizer


def optimizers_of(model: Any) -> list[Optimizer]:
    """Return this package's optimizers that train a model, wrapped ones included."""
    found = [getattr(model, "optimizer", None)]
    found += [getattr(optimizer, "inner_optimizer", None) for optimizer in found]
    found += [inner for optimizer in found for inner in getattr(optimizer, "optimizers", ())]
    return [optimizer for optimizer in found if isinstance(optimizer, Optimizer)]
