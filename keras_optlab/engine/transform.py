"""Transforms, which change the gradient, the step or the weights of any algorithm."""

import re
from abc import ABCMeta
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple, Union, final

import keras

from keras_optlab.arguments.declaration import Declared
from keras_optlab.engine.passes import Pass, Periodic, check_names, passes_of, periodic_of
from keras_optlab.engine.random_stream import check_scope, for_hook
from keras_optlab.engine.scope import Scope
from keras_optlab.engine.slots import Slot

# Name, in the result of `Placed.derived`, of the number of steps that a transform has seen.
AGE = "age"


class Transform(Declared, metaclass=ABCMeta):
    """Base class of an optimizer's `transforms`, which wrap its algorithm; abstract.

    A subclass lists its arguments (`argument`) and defines one or more hooks. Hooks are pure
    functions: they take and return tensors, and return new slots by name.

        all_gradients(gs, h) -> gs                     first, the gradients of a step as a list
        gradient(g, p, s, h) -> g, new_slots           before the algorithm
        step(step, g, p, s, h) -> step, new_slots      after it; the step is subtracted from p
        parameter(new, p, s, h) -> new, new_slots      after that; `new` is the new parameter

    A sum over the variable, as for a mean, is computed by a method marked with `sums`: it takes
    the arguments of `step` and returns a dict of sums, which `step` finds by name in `h`. A large
    variable can then be updated in parts. Without such a method, a hook sees all of the variable
    (or only an element, if `scope` says so). A method marked with `when` takes the same arguments,
    runs after all hooks, and returns new slots.

    `all_gradients` is for what concerns the whole model, such as a norm of all gradients. It takes
    the gradients that exist (for a table with sparse gradients, those of the rows looked up) and
    returns a list of the same length and shapes. Its `h` has no group's numbers, no shape and no
    random numbers.

    `s` holds the transform's slots, and `h` the optimizer's hyperparameters, `h.t`, `h.shape` and
    whatever `derive` adds. `h.age` counts the steps that the transform has seen, from 1. It starts
    over if the optimizer resumes from the file of one without the transform.
    """

    # What an element of the result depends on; see `Scope`.
    scope: ClassVar[Scope] = Scope.VARIABLE
    # Whether it draws random numbers; its hooks then have `h.random`.
    draws: ClassVar[bool] = False

    # Passes, marked with `sums`: (step, g, p, s, h) -> sums, passed to `step` in `h`.
    passes: ClassVar[tuple[Pass, ...]] = ()
    # Marked with `when`: (step, g, p, s, h) -> new slots, after all hooks if a condition holds.
    periodic: ClassVar[tuple[Periodic, ...]] = ()

    # Optional hooks of a subclass; None if it does not need them.
    all_gradients: Callable[..., list[Any]] | None = None
    gradient: Callable[..., tuple[Any, dict[str, Any]]] | None = None
    step: Callable[..., tuple[Any, dict[str, Any]]] | None = None
    parameter: Callable[..., tuple[Any, dict[str, Any]]] | None = None
    # derive(h) -> dict: values for the hooks, computed once per step.
    derive: Callable[..., dict[str, Any]] | None = None
    # validate(): checks that involve several arguments.
    validate: Callable[..., None] | None = None
    # evaluation_point(p, s, h) -> parameter with which the model is evaluated and saved.
    evaluation_point: Callable[..., Any] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_scope(cls)
        check_names(cls)
        cls.passes = passes_of(cls)
        cls.periodic = periodic_of(cls)
        if any(each.is_over_model for each in cls.passes) or (cls.passes and not cls.step):
            raise ValueError(
                "A transform with `@sums()` needs a `step` hook, and can sum only over a variable. "
                f"Received: {cls.__name__}, which has no `step` or uses `@sums(over=Scope.MODEL)`."
            )
        package = cls.__module__.partition(".")[0]
        keras.saving.register_keras_serializable(package=package)(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        for name, value in self.bind(args, kwargs).items():
            setattr(self, name, value)
        if self.validate is not None:
            self.validate()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.configuration() == self.configuration()

    def __hash__(self) -> int:
        return hash((type(self), *map(repr, self.configuration().items())))

    @property
    def evaluates_elsewhere(self) -> bool:
        """Whether the model is evaluated at `evaluation_point`."""
        return self.evaluation_point is not None

    @property
    def acts_on_variables(self) -> bool:
        """Whether it does anything in the updates of variables, after `all_gradients`."""
        hooks = (self.gradient, self.step, self.parameter, self.evaluation_point)
        return any(hook is not None for hook in hooks) or bool(self.periodic)

    def slots(self, variable: Any) -> dict[str, Slot]:
        """Return the slots of a variable, by the names that the hooks use."""
        return {}

    def route(self, variable: Any) -> Union["Transform", None]:
        """Return the transform that acts on a variable: this one, another, or None for none."""
        return self

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return self.configuration()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Transform":
        """Create a transform from what `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        shown = [
            f"{name}={argument.read(self)!r}"
            for name, argument in self.declared_arguments.items()
            if argument.read(self) != argument.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


@final
class Placed(NamedTuple):
    """A transform in an optimizer, with a unique prefix for its slots and numbers.

    Args:
        name: Prefix of the names of its slots and numbers.
        transform: The transform.
    """

    name: str
    transform: Transform

    def named(self, own: dict[str, Any]) -> dict[str, Any]:
        """Return slots or numbers by their full names, with the prefix."""
        return {f"{self.name}.{name}": value for name, value in own.items()}

    def own(self, everything: dict[str, Any]) -> SimpleNamespace:
        """Select the transform's slots or numbers, by their short names."""
        prefix = f"{self.name}."
        return SimpleNamespace(
            **{
                name.removeprefix(prefix): value
                for name, value in everything.items()
                if name.startswith(prefix)
            }
        )

    def numbers(self, h: SimpleNamespace) -> SimpleNamespace:
        """Return all numbers, plus the transform's by their short names."""
        return SimpleNamespace(**vars(h) | vars(self.own(vars(h))))

    def derived(self, h: dict[str, Any], age: Any) -> dict[str, Any]:
        """Return the transform's numbers for `h` of a step, by their full names.

        Args:
            h: The optimizer's numbers by name.
            age: How many steps the transform has seen, including this one.
        """
        own = {AGE: age}
        if self.transform.derive:
            own |= self.transform.derive(SimpleNamespace(**h | own))
        return self.named(own)

    def found(
        self,
        method: Callable[..., dict[str, Any]],
        step: Any,
        g: Any,
        p: Any,
        slots: dict[str, Any],
        h: SimpleNamespace,
    ) -> dict[str, Any]:
        """Call a marked method, and return its results by their full names."""
        numbers = for_hook(self.numbers(h), f"{self.name}.{method.__name__}")
        return self.named(method(self.transform, step, g, p, self.own(slots), numbers))

    def changed(self, hook: str, value: Any, *given: Any) -> tuple[Any, dict[str, Any]]:
        """Apply a hook to a gradient, step or parameter; return the result and the new slots.

        Args:
            hook: `"gradient"`, `"step"` or `"parameter"`.
            value: What the hook changes.
            *given: Further arguments of the hook; the last two are all slots by name, and `h`.
        """
        function = getattr(self.transform, hook)
        if function is None:
            return value, {}
        *middle, slots, h = given
        numbers = for_hook(self.numbers(h), f"{self.name}.{hook}")
        result, new = function(value, *middle, self.own(slots), numbers)
        return result, self.named(new)


@final
class PlacedPass(NamedTuple):
    """A pass of a transform in an optimizer."""

    placed: Placed
    own: Pass

    def measure(
        self, step: Any, g: Any, p: Any, slots: dict[str, Any], h: SimpleNamespace
    ) -> dict[str, Any]:
        """Return the sums, by their full names in `h`.

        Args:
            step: The step after the preceding transforms.
            g: Gradient.
            p: Parameter.
            slots: All slots by name.
            h: All numbers.
        """
        return self.placed.found(self.own.measure, step, g, p, slots, h)


@final
class PlacedPeriodic(NamedTuple):
    """Periodic work of a transform in an optimizer."""

    placed: Placed
    own: Periodic

    def is_due(self, h: SimpleNamespace) -> Any:
        """Return whether the work is due in this step, as a boolean scalar."""
        return self.own.condition(self.placed.numbers(h))

    def work(
        self, step: Any, g: Any, p: Any, slots: dict[str, Any], h: SimpleNamespace
    ) -> dict[str, Any]:
        """Do the work, and return the new slots by their full names.

        Args:
            step: The step that is subtracted from the parameter.
            g: Gradient.
            p: Parameter before the step.
            slots: All slots by name, after the hooks.
            h: All numbers.
        """
        return self.placed.found(self.own.work, step, g, p, slots, h)


def placed(transforms: Iterable[Transform]) -> tuple[Placed, ...]:
    """Name transforms after their classes, with a number if a class occurs again."""
    found: list[Placed] = []
    for transform in transforms:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(transform).__name__).lower()
        again = sum(type(other.transform) is type(transform) for other in found)
        found.append(Placed(f"{name}_{again + 1}" if again else name, transform))
    return tuple(found)


def for_variable(transforms: Iterable[Placed], variable: Any) -> tuple[Placed, ...]:
    """Return the transforms that act on a variable."""
    acting = [each for each in transforms if each.transform.acts_on_variables]
    routed = [(each.name, each.transform.route(variable)) for each in acting]
    return tuple(Placed(name, transform) for name, transform in routed if transform is not None)
