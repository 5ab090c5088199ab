"""Checks that a class keeps the contract of `Optimizer` or `Transform`, on the current backend.

The engine runs a formula in more ways than its author ever sees: on blocks of a variable, on many
variables joined, compiled by XLA, on some rows of a table, after saving and loading. All of them
must give the numbers of the plain formula, called eagerly on one whole variable after another.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from keras_optlab.engine.transform import Transform
from keras_optlab.optimizers.sgd import SGD
from keras_optlab.testing import arguments as argument_checks
from keras_optlab.testing import contexts, formula, hooks, rows, state
from keras_optlab.testing.problem import NotApplicable, Problem

__all__ = [
    "NotApplicable",
    "check_optimizer",
    "check_transform",
    "optimizer_checks",
    "transform_checks",
]

# Ordered so that the first check to fail names the cause, not one of its consequences.
CHECKS: tuple[Callable[[Problem], None], ...] = (
    argument_checks.configuration,
    argument_checks.refused_values,
    formula.plain_steps,
    formula.pure_step,
    formula.written_slots,
    formula.zero_gradients,
    formula.repeatable,
    formula.clone,
    state.saved_state,
    state.copied_state,
    formula.claimed_scope,
    contexts.eager,
    formula.float64_variables,
    contexts.graph,
    contexts.unknown_shapes,
    contexts.xla,
    contexts.jit,
    contexts.set_while_compiled,
    contexts.many_variables,
    contexts.large_variables,
    rows.sparse_gradients,
    rows.resting_rows,
    rows.lazy_rows,
    contexts.compiled_fit,
)


def optimizer_checks(cls: type, **arguments: Any) -> list[tuple[str, Callable[[], None]]]:
    """Return the checks of `check_optimizer`, to run one at a time.

    Args:
        cls: Subclass of `Optimizer`.
        **arguments: Arguments of its constructor.

    Returns:
        List of pairs: the name of a check, and a function without arguments that runs it. The
        function raises `AssertionError` if the check fails, and `NotApplicable`, which pytest
        treats as a skip, if the check makes no sense for this class or backend.

    Raises:
        TypeError: If `cls` is not a subclass of `Optimizer`.

    Example:

    >>> from keras_optlab.testing import optimizer_checks
    >>> checks = dict(optimizer_checks(keras_optlab.optimizers.SGD, momentum=0.9))
    >>> checks["zero_gradients"]()
    """
    problem = Problem(cls, arguments)
    return [(check.__name__, partial(check, problem)) for check in CHECKS]


def check_optimizer(cls: type, **arguments: Any) -> dict[str, str]:
    """Check that an optimizer class gives the numbers of its formula wherever Keras may call it.

    The checks take a few steps with fixed gradients on small variables named `"matrix"`,
    `"vector"`, `"scalar"`, `"empty"` and `"table"`. The reference is the plain formula, called
    eagerly on one whole variable after another. All checks take a few seconds on TensorFlow and
    JAX; on torch the last check, `fit` compiled by dynamo, takes most of the time.

    Args:
        cls: Subclass of `Optimizer`, yours or this package's.
        **arguments: Arguments of its constructor. If options change the formula, check the class
            once with each.

    Returns:
        Dictionary from the name of each check that could not run to the reason.

    Raises:
        AssertionError: If a check fails. The message says what is wrong and what to do about it,
            and a note on the error names the check.
        TypeError: If `cls` is not a subclass of `Optimizer`.

    Example:

    >>> from keras_optlab.testing import check_optimizer
    >>> not_applicable = check_optimizer(keras_optlab.optimizers.SGD, momentum=0.9)
    >>> "claimed_scope" in not_applicable
    False
    """
    return _run(optimizer_checks(cls, **arguments), "check_optimizer")


def transform_checks(cls: type, **arguments: Any) -> list[tuple[str, Callable[[], None]]]:
    """Return the checks of `check_transform`, to run one at a time; see `optimizer_checks`.

    Args:
        cls: Subclass of `Transform`.
        **arguments: Arguments of its constructor.

    Returns:
        List of pairs: the name of a check, and a function without arguments that runs it.

    Raises:
        TypeError: If `cls` is not a subclass of `Transform`.

    Example:

    >>> from keras_optlab.testing import transform_checks
    >>> checks = dict(transform_checks(keras_optlab.transforms.Lookahead, period=2))
    >>> checks["hook_results"]()
    """
    if not (isinstance(cls, type) and issubclass(cls, Transform)):
        raise TypeError(
            f"`cls` must be a subclass of keras_optlab's `Transform`. Received: {cls!r}"
        )
    # Steps of SGD are linear in the gradients, while those of Adam would amplify rounding errors.
    problem = Problem(SGD, {"momentum": 0.9, "transforms": [cls(**arguments)]})
    return [
        (check.__name__, partial(check, problem))
        for check in (
            hooks.hook_of_all_gradients,
            hooks.hook_results,
            hooks.pure_hooks,
            hooks.claimed_scope_of_hooks,
            *CHECKS,
        )
    ]


def check_transform(cls: type, **arguments: Any) -> dict[str, str]:
    """Check that a transform's hooks keep their contract, and that `SGD` with the transform does.

    Args:
        cls: Subclass of `Transform`, yours or this package's.
        **arguments: Arguments of its constructor.

    Returns:
        Dictionary from the name of each check that could not run to the reason.

    Raises:
        AssertionError: If a check fails. The message says what is wrong and what to do about it.
        TypeError: If `cls` is not a subclass of `Transform`.

    Example:

    >>> from keras_optlab.testing import check_transform
    >>> not_applicable = check_transform(keras_optlab.transforms.Cautious)
    """
    return _run(transform_checks(cls, **arguments), "check_transform")


def _run(checks: list[tuple[str, Callable[[], None]]], kit: str) -> dict[str, str]:
    reasons = {}
    for name, check in checks:
        try:
            check()
        except NotApplicable as reason:
            reasons[name] = str(reason)
        except AssertionError as error:
            error.add_note(f"Found by the check `{name}` of `{kit}`.")
            raise
    return reasons
