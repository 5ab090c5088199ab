"""Passes, which run before an algorithm's step, and periodic work, done after some steps."""

from collections.abc import Callable
from typing import Any, NamedTuple, final

from keras_optlab.engine.scope import Scope

# In an algorithm: (g, p, s, h) -> sums, new slots. In a transform: (step, g, p, s, h) -> sums.
Measure = Callable[..., Any]


@final
class Pass(NamedTuple):
    """A pass: the method that measures, and the scope of its sums.

    Args:
        measure: Unbound method of the algorithm or transform.
        over: `Scope.VARIABLE` or `Scope.MODEL`.
    """

    measure: Measure
    over: Scope

    @property
    def is_over_model(self) -> bool:
        """Whether its sums are taken over all variables together."""
        return self.over is Scope.MODEL


def sums(over: Scope = Scope.VARIABLE) -> Callable[[Measure], Measure]:
    """Mark a method of an algorithm or transform as a pass that runs before the step.

    The method takes the arguments of `step` and returns two dicts, the sums and the new slots; in a
    transform it returns only the sums.
    Passes run in definition order. Each sees the slots written by earlier passes, and their sums in
    `h`. If a variable is measured in blocks of rows, the sums of the blocks are added up.

    Args:
        over: `Scope.VARIABLE`, or `Scope.MODEL` to sum over all variables of the step together
            and pass the sums to `advance`.

    Raises:
        ValueError: If `over` is another scope.
    """
    if over not in (Scope.VARIABLE, Scope.MODEL):
        raise ValueError(
            "Sums are taken over `Scope.VARIABLE` or `Scope.MODEL`. Received: "
            f"over={over!r}. Compute anything that needs only one element or row in `step`."
        )

    def mark(method: Any) -> Any:
        method.sums_over = over
        return method

    return mark


@final
class Periodic(NamedTuple):
    """Work done only in some steps.

    Args:
        work: Unbound method of the algorithm or transform.
        condition: Function of `h` that returns a boolean scalar.
    """

    work: Callable[..., dict[str, Any]]
    condition: Callable[[Any], Any]


def when(condition: Callable[[Any], Any]) -> Callable[[Callable], Callable]:
    """Mark a method as periodic work, done after the step if a condition holds.

    The method takes (g, p, s, h) in an algorithm and (step, g, p, s, h) in a transform, where p is
    the parameter before the step and s has the new slots. It returns new slots, and becomes a
    branch of the compiled step.

    Args:
        condition: Function of `h` that returns a boolean scalar, such as `lambda h: h.is_due`
            for an `is_due` returned by `derive`.
    """

    def mark(method: Any) -> Any:
        method.done_when = condition
        return method

    return mark


def check_names(cls: type) -> None:
    """Check that no marked method overrides an inherited attribute that is not marked.

    Raises:
        TypeError: If one does: one of the two would be called instead of the other.
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
    """Return all attributes of a class, inherited ones included, in definition order."""
    methods: dict[str, Any] = {}
    for ancestor in reversed(cls.__mro__):
        methods |= vars(ancestor)
    return list(methods.values())


def periodic_of(cls: type) -> tuple[Periodic, ...]:
    """Return the periodic work of a class, inherited work included, in definition order."""
    return tuple(
        Periodic(method, method.done_when)
        for method in _methods(cls)
        if hasattr(method, "done_when")
    )


def passes_of(cls: type) -> tuple[Pass, ...]:
    """Return the passes of a class, inherited ones included, in definition order."""
    return tuple(
        Pass(method, method.sums_over) for method in _methods(cls) if hasattr(method, "sums_over")
    )
