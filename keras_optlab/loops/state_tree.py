"""State of our optimizers that a model's `get_state_tree` lacks; orbax saves that tree."""

from typing import Any

import keras
from keras import ops

from keras_optlab.engine.optimizer import Optimizer, optimizers_of
from keras_optlab.engine.points import training_point_name

OPTIMIZER = "optimizer_variables"


def add_to_tree(model: keras.Model, tree: dict[str, Any], value_format: str) -> None:
    """Add the optimizers' state that no built-in has.

    The training point is always included, wherever the variables are, so that a tree has the same
    structure before and after training.
    """
    for optimizer in optimizers_of(model):
        for path, value in extra_values(optimizer).items():
            *folders, name = path.split("/")
            folder = tree[OPTIMIZER]
            for each in folders:
                folder = folder.setdefault(each, {})
            is_host = value_format == "numpy_array"
            folder[name] = ops.convert_to_numpy(value) if is_host else value


def take_from_tree(model: keras.Model, tree: dict[str, Any]) -> None:
    """Load what `add_to_tree` has added; the tree's other values are already in place."""
    if OPTIMIZER not in tree:
        return
    for optimizer in optimizers_of(model):
        for variable in optimizer.extra_state.variables.values():
            value = at_path(tree[OPTIMIZER], variable.path)
            if value is not None:
                variable.assign(value)
        optimizer.extra_state.forget()
        if optimizer.built and optimizer.is_evaluating:
            for n, path in enumerate(training_point_paths(optimizer)):
                value = at_path(tree[OPTIMIZER], path)
                if value is not None:
                    optimizer.extra_state.keep(training_point_name(n), ops.copy(value))


def extra_values(optimizer: Optimizer) -> dict[str, Any]:
    """Return the values of the state that no built-in has, by path."""
    state = optimizer.extra_state
    values = {variable.path: variable.value for variable in state.variables.values()}
    if optimizer.built and optimizer.evaluates_elsewhere:
        optimizer.fetch_training_point()
        for n, path in enumerate(training_point_paths(optimizer)):
            kept = state.arrays.get(training_point_name(n))
            values[path] = optimizer.built_on[n].value if kept is None else tensor(kept)
    return values


def training_point_paths(optimizer: Optimizer) -> list[str]:
    """Return the paths of the training points, in the folder of the `evaluating` variable."""
    folder = optimizer.engine.evaluating.path.rpartition("/")[0]
    return [f"{folder}/{training_point_name(n)}" for n in range(len(optimizer.built_on))]


def tensor(value: Any) -> Any:
    """Return the value of a variable, or anything else as a tensor."""
    return value.value if isinstance(value, keras.Variable) else ops.convert_to_tensor(value)


def at_path(tree: dict[str, Any], path: str) -> Any:
    """Return what a tree holds at a path, or None if there is nothing."""
    found: Any = tree
    for name in path.split("/"):
        found = found.get(name) if isinstance(found, dict) else None
    return found
