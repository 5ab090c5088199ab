"""What changes the gradient, the step or the weights of any algorithm."""

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

# Name, in what `Placed.derived` gives, of the number of steps that a transform has seen.
AGE = "age"


class Transform(Declared, metaclass=ABCMeta):
    """Base class of what goes around an algorithm, in an optimizer's `transforms`; abstract.

    A subclass lists its arguments (`argument`) and defines one hook or several. Hooks are pure:
    they get and return tensors, and new slots by name.

        all_gradients(gs, h) -> gs                     first, the gradients of a step as a list
        gradient(g, p, s, h) -> g, new_slots           before the algorithm
        step(step, g, p, s, h) -> step, new_slots      after it; the step is subtracted from p
        parameter(new, p, s, h) -> new, new_slots      after that; `new` is the new parameter

    A sum over the variable, such as a mean, is a method that `sums` marks: it takes what `step`
    takes and returns a dict of sums, which `h` of `step` has by name. A large variable may then be
    updated in parts; without it, a hook sees all of it (or only an element, if `scope` says so).
    A method that `when` marks takes the same, after all hooks, and returns new slots.

    `all_gradients` is for what concerns the whole model, such as a norm of all gradients. It gets
    those that are there, of a table with sparse gradients the rows looked up, and returns as many
    of the same shapes; `h` then has no group's numbers, no shape and no random numbers.

    `s` holds the transform's slots, `h` the optimizer's hyperparameters, `h.t`, `h.shape` and
    whatever `derive` adds. `h.age` counts the steps that the transform has seen, from 1: in an
    optimizer that goes on from the file of one without it, it starts again.
    """

    # What an element of the result depends on; see `Scope`.
    scope: ClassVar[Scope] = Scope.VARIABLE
    # Whether it draws random numbers: its hooks then have `h.random`.
    draws: ClassVar[bool] = False

    # The passes that `sums` marks: (step, g, p, s, h) -> sums, which stand in `h` of `step`.
    passes: ClassVar[tuple[Pass, ...]] = ()
    # What `when` marks: (step, g, p, s, h) -> new slots, after all hooks where a condition holds.
    periodic: ClassVar[tuple[Periodic, ...]] = ()

    # Optional hooks of a subclass. None where it has no use for them.
    all_gradients: Callable[..., list[Any]] | None = None
    gradient: Callable[..., tuple[Any, dict[str, Any]]] | None = None
    step: Callable[..., tuple[Any, dict[str, Any]]] | None = None
    parameter: Callable[..., tuple[Any, dict[str, Any]]] | None = None
    # derive(h) -> dict: what the hooks need once a step.
    derive: Callable[..., dict[str, Any]] | None = None
    # validate(): checks that concern several arguments at once.
    validate: Callable[..., None] | None = None
    # evaluation_point(p, s, h) -> where the model is to be evaluated and saved.
    evaluation_point: Callable[..., Any] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_scope(cls)
        check_names(cls)
        cls.passes = passes_of(cls)
        cls.periodic = periodic_of(cls)
        if any(each.is_over_model for each in cls.passes) or (cls.passes and not cls.step):
            raise ValueError(
                "A transform takes sums of a step, over a variable: `@sums()` goes with a hook "
                f"`step`. Received: {cls.__name__}, where it is `@sums(over=Scope.MODEL)` or "
                "there is no `step`."
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
        """Whether the model is to be evaluated at `evaluation_point`."""
        return self.evaluation_point is not None

    @property
    def acts_on_variables(self) -> bool:
        """Whether it does anything in the update of a variable, after `all_gradients`."""
        hooks = (self.gradient, self.step, self.parameter, self.evaluation_point)
        return any(hook is not None for hook in hooks) or bool(self.periodic)

    def slots(self, variable: Any) -> dict[str, Slot]:
        """The slots of a variable, by the name that the hooks know them by."""
        return {}

    def route(self, variable: Any) -> Union["Transform", None]:
        """What acts on a variable: this transform, another, or None where nothing does."""
        return self

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return self.configuration()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Transform":
        """A transform from what `get_config` returned."""
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
    """A transform at its place in an optimizer, where its slots and numbers have names.

    Args:
        name: What the names of its slots and numbers begin with.
        transform: The transform.
    """

    name: str
    transform: Transform

    def named(self, own: dict[str, Any]) -> dict[str, Any]:
        """Slots or numbers by the names that they have among all others."""
        return {f"{self.name}.{name}": value for name, value in own.items()}

    def own(self, everything: dict[str, Any]) -> SimpleNamespace:
        """The transform's among all slots or numbers, by their short names."""
        prefix = f"{self.name}."
        return SimpleNamespace(
            **{
                name.removeprefix(prefix): value
                for name, value in everything.items()
                if name.startswith(prefix)
            }
        )

    def numbers(self, h: SimpleNamespace) -> SimpleNamespace:
        """All numbers, and the transform's by their short names."""
        return SimpleNamespace(**vars(h) | vars(self.own(vars(h))))

    def derived(self, h: dict[str, Any], age: Any) -> dict[str, Any]:
        """What stands in `h` for the transform in a step.

        Args:
            h: The optimizer's numbers by name.
            age: How many steps the transform has seen, with this one.
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
        """What a marked method returns, by the names that it has among all others."""
        numbers = for_hook(self.numbers(h), f"{self.name}.{method.__name__}")
        return self.named(method(self.transform, step, g, p, self.own(slots), numbers))

    def changed(self, hook: str, value: Any, *given: Any) -> tuple[Any, dict[str, Any]]:
        """What a hook makes of a gradient, step or parameter, with the new slots.

        Args:
            hook: `"gradient"`, `"step"` or `"parameter"`.
            value: What the hook changes.
            *given: What it gets further; the last two are all slots by name, and `h`.
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
    """A pass of a transform at its place."""

    placed: Placed
    own: Pass

    def measure(
        self, step: Any, g: Any, p: Any, slots: dict[str, Any], h: SimpleNamespace
    ) -> dict[str, Any]:
        """The sums, by the names that they have in `h` among all others.

        Args:
            step: The step as the transforms before leave it.
            g: Gradient.
            p: Parameter.
            slots: All slots by name.
            h: All numbers.
        """
        return self.placed.found(self.own.measure, step, g, p, slots, h)


@final
class PlacedPeriodic(NamedTuple):
    """Periodic work of a transform at its place."""

    placed: Placed
    own: Periodic

    def is_due(self, h: SimpleNamespace) -> Any:
        """Whether it is to be done in this step, a boolean scalar."""
        return self.own.condition(self.placed.numbers(h))

    def work(
        self, step: Any, g: Any, p: Any, slots: dict[str, Any], h: SimpleNamespace
    ) -> dict[str, Any]:
        """The new slots, by the names that they have among all others.

        Args:
            step: The step that is subtracted from the parameter.
            g: Gradient.
            p: Parameter before the step.
            slots: All slots by name, as the hooks leave them.
            h: All numbers.
        """
        return self.placed.found(self.own.work, step, g, p, slots, h)


def placed(transforms: Iterable[Transform]) -> tuple[Placed, ...]:
    """Transforms with names: those of their classes, numbered where one occurs again."""
    found: list[Placed] = []
    for transform in transforms:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(transform).__name__).lower()
        again = sum(type(other.transform) is type(transform) for other in found)
        found.append(Placed(f"{name}_{again + 1}" if again else name, transform))
    return tuple(found)


def for_variable(transforms: Iterable[Placed], variable: Any) -> tuple[Placed, ...]:
    """The transforms that act on a variable."""
    acting = [each for each in transforms if each.transform.acts_on_variables]
    routed = [(each.name, each.transform.route(variable)) for each in acting]
    return tuple(Placed(name, transform) for name, transform in routed if transform is not None)
