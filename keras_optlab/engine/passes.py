"""What an algorithm does before its step (passes) and now and then after it (periodic work)."""

from collections.abc import Callable
from typing import Any, NamedTuple, final

from keras_optlab.engine.scope import Scope

# (g, p, s, h) -> sums, new slots; of a transform (step, g, p, s, h) -> sums
Measure = Callable[..., Any]


@final
class Pass(NamedTuple):
    """One pass: what it measures, and over what its sums are taken.

    Args:
        measure: The method of the algorithm or transform, unbound.
        over: `Scope.VARIABLE` or `Scope.MODEL`.
    """

    measure: Measure
    over: Scope

    @property
    def is_over_model(self) -> bool:
        """Whether its sums are those of all variables together."""
        return self.over is Scope.MODEL


def sums(over: Scope = Scope.VARIABLE) -> Callable[[Measure], Measure]:
    """Mark a method of an algorithm or transform as a pass that comes before the step.

    The method takes what `step` takes and returns two dicts: sums, and new slots; that of a
    transform returns the sums alone.
    Passes run in the order in which they are defined. Each sees the slots that the ones before it
    have written, and their sums in `h`; a sum over blocks of rows is the sum of the blocks' sums.

    Args:
        over: `Scope.VARIABLE`, or `Scope.MODEL`: then the sums are those of all variables of the
            step together, and `advance` gets them.

    Raises:
        ValueError: For another scope.
    """
    if over not in (Scope.VARIABLE, Scope.MODEL):
        raise ValueError(
            "Sums are taken over `Scope.VARIABLE` or `Scope.MODEL`. Received: "
            f"over={over!r}. What an element alone needs belongs into `step`."
        )

    def mark(method: Any) -> Any:
        method.sums_over = over
        return method

    return mark


@final
class Periodic(NamedTuple):
    """Work that is done in some steps only.

    Args:
        work: The method of the algorithm or transform, unbound.
        condition: Function of `h` that gives a boolean scalar.
    """

    work: Callable[..., dict[str, Any]]
    condition: Callable[[Any], Any]


def when(condition: Callable[[Any], Any]) -> Callable[[Callable], Callable]:
    """Mark a method as work that comes after the step where a condition holds.

    The method of an algorithm takes (g, p, s, h), that of a transform (step, g, p, s, h): p is the
    parameter before the step, s has the new slots. It returns new slots, and becomes a branch of
    the compiled step.

    Args:
        condition: Function of `h` that gives a boolean scalar, such as `lambda h: h.is_due` of
            what `derive` has put there.
    """

    def mark(method: Any) -> Any:
        method.done_when = condition
        return method

    return mark


def check_names(cls: type) -> None:
    """Check that no marked method hides what the class inherits.

    Raises:
        TypeError: If one does: what it hides would be called instead of it, or it instead of that.
    """
    for name, method in vars(cls).items():
        inherited = [vars(base)[name] for base in cls.__mro__[1:] if name in vars(base)]
        if _is_marked(method) and inherited and not _is_marked(inherited[0]):
            raise TypeError(
                "A method marked with `@sums()` or `@when(...)` needs a name that its class does "
                f"not have yet. Received: {cls.__name__}.{name}. Give it another name."
            )


def _is_marked(method: Any) -> bool:
    return hasattr(method, "sums_over") or hasattr(method, "done_when")


def _methods(cls: type) -> list[Any]:
    """Everything that a class defines or inherits, in the order of definition."""
    methods: dict[str, Any] = {}
    for ancestor in reversed(cls.__mro__):
        methods |= vars(ancestor)
    return list(methods.values())


def periodic_of(cls: type) -> tuple[Periodic, ...]:
    """The periodic work of a class, in the order of definition."""
    return tuple(
        Periodic(method, method.done_when)
        for method in _methods(cls)
        if hasattr(method, "done_when")
    )


def passes_of(cls: type) -> tuple[Pass, ...]:
    """The passes that a class defines or inherits, in the order of definition."""
    return tuple(
        Pass(method, method.sums_over) for method in _methods(cls) if hasattr(method, "sums_over")
    )
