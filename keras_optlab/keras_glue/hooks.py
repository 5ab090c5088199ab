"""All uses of Keras' private names, each with its reason; no other file has any.

`tests/engine/test_keras_hooks.py` fails with the name of the hook when Keras changes one.
"""

import functools
import operator
import re
from abc import ABCMeta
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, final

import keras
from keras import ops
from keras.src.backend.common import global_state
from keras.src.saving.keras_saveable import KerasSaveable

from keras_optlab.backends import backend

# Keras has a constant for this name only since 3.13.
GLOBAL_SEED_GENERATOR = "global_seed_generator"


class Saveable(KerasSaveable):
    """An object that Keras saves along with the object that it is an attribute of.

    Why: Keras' saving code looks for `KerasSaveable`, which has no public name.
    """

    def _obj_type(self) -> str:
        return "Loss"


class HookedOptimizer(keras.optimizers.Optimizer, metaclass=ABCMeta):
    """Abstract Keras optimizer with its private parts under public names."""

    # The `Engine`; its `stepper` takes the steps.
    engine: Any

    def keep(self, **values: Any) -> None:
        """Set attributes that Keras does not track.

        Why: Keras' `__setattr__` tracks lists, dicts and variables as state to save.
        """
        self.__dict__.update(values)

    @property
    def held_learning_rate(self) -> Any:
        """The learning rate as stored by Keras: variable, schedule or callable.

        Why: `learning_rate` returns the value of a schedule, not the schedule.
        """
        return self._learning_rate

    def hold_learning_rate(self, value: Any) -> None:
        """Replace the learning rate by a schedule or callable.

        Why: only Keras' setter removes the old variable from the saved state.
        """
        keras.optimizers.Optimizer.learning_rate.__set__(self, value)

    @property
    def step_count(self) -> keras.Variable:
        """The number of calls of `apply`.

        Why: schedules use it, while `iterations` counts updates with accumulated gradients.
        """
        return self._iterations

    @property
    def built_on(self) -> list[Any]:
        """The variables that the optimizer was built for, in order."""
        return self._trainable_variables

    @property
    def saved_variables(self) -> list[keras.Variable]:
        """The variables that the built-in optimizer has too, in its order.

        Why: `variables` also holds what the built-in lacks.
        """
        return self._variables

    def position(self, variable: Any) -> int:
        """Return the index of a variable among those that the optimizer was built for.

        Why: on TensorFlow a step sees parts of a Keras variable, which only Keras can match to it.
        """
        return self._get_variable_index(variable)

    def identity(self, variable: Any) -> Any:
        """Return the key by which Keras identifies a variable."""
        return self._var_key(variable)

    def layout_of(self, variable: Any) -> Any:
        """Return the layout of a variable across devices, so that its slots can have the same."""
        return getattr(variable, "_layout", None)

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        # Why: Keras bakes the clipping limits into the compiled step. This is also the only place
        # that sees the gradients of a step after accumulation.
        return self.engine.stepper.transformed(grads)

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        # Why: decay is part of the update, which saves a pass over memory and is done per group.
        pass

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        # Why: the only place that runs once per step, before the step is split by variable. Under
        # tf.distribute each replica updates its copies.
        with backend.no_gradient():
            self.engine.stepper.update_all(grads, trainable_variables, learning_rate)

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[Any]) -> None:
        # Why: Keras computes in the variable's dtype, and in half precision an average over many
        # steps stops moving.
        is_first = ops.equal(self.iterations, 0)
        for variable, average in zip(
            trainable_variables, self._model_variables_moving_average, strict=True
        ):
            if average is not None:
                not_first = ops.cast(ops.logical_not(is_first), average.dtype)
                momentum = ops.multiply(not_first, self.ema_momentum)
                latest = ops.cast(variable, average.dtype)
                # Not `ops.add`: on TensorFlow it mistakes an empty matrix for a bias, and raises.
                average.assign(momentum * average.value + (1 - momentum) * latest)

    def _backend_increment_gradient_accumulators(
        self, grads: Sequence[Any], acc_grads: Sequence[Any]
    ) -> None:
        # Why: on TensorFlow, Keras leaves the replica context for this, in a conditional branch.
        if backend.has_replicas():
            for gradient, accumulator in zip(grads, acc_grads, strict=True):
                accumulator.assign(accumulator + gradient)
        else:
            super()._backend_increment_gradient_accumulators(grads, acc_grads)

    def _overwrite_model_variables_with_average_value(
        self, trainable_variables: Sequence[Any]
    ) -> None:
        # Why: as for the accumulators.
        averages = self._model_variables_moving_average
        for variable, average in zip(trainable_variables, averages, strict=True):
            if average is not None:
                variable.assign(average)


def made_from(tensor: Any) -> list[Any]:
    """Return the tensors that a symbolic tensor was computed from; none for an input.

    Why: Keras keeps the graph of operations in private attributes only.
    """
    history = getattr(tensor, "_keras_history", None)
    if history is None or history.operation is None:
        return []
    return list(history.operation._inbound_nodes[history.node_index].input_tensors)


# held_value(variable): the value that a variable itself holds, ignoring any scope.
# Why: `value` looks for scopes on each access, which takes longer than a small update.
held_value = operator.attrgetter("_value")


def is_attached(variable: keras.Variable) -> bool:
    """Whether a variable currently holds its value.

    Why: in `fit` on JAX the trainer takes the values out of the variables, and after an error in
    the first step they stay out.
    """
    return variable._value is not None


def held_learning_rate(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the learning rate as any Keras optimizer stores it: variable, schedule or callable.

    Why: `learning_rate` returns the value of a schedule, not the schedule.
    """
    return optimizer._learning_rate


def parts_to_build(model: keras.Model) -> list[Any]:
    """Return the compiled losses and metrics that have not been built from data yet.

    Why: if there are any, `fit` first takes a batch to build them from, and draws random numbers
    for that. A caller whose `fit` must leave no trace has to leave them unbuilt.
    """
    parts = [model._compile_loss, model._compile_metrics]
    return [part for part in parts if part is not None and not part.built]


def global_seed_generator() -> keras.random.SeedGenerator | None:
    """Return the generator that `keras.random` uses without a seed; None before its first use.

    Why: Keras has no public access to it.
    """
    return global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)


def replace_global_seed_generator(generator: keras.random.SeedGenerator | None) -> None:
    """Replace the global seed generator; with None, Keras makes one when it needs it."""
    global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, generator)


def start_at_epoch(model: keras.Model, epoch: int) -> None:
    """Make the `fit` that is about to begin start at an epoch.

    Why: the argument `initial_epoch` is fixed before any callback can say what was saved.
    """
    model._initial_epoch = epoch


@final
@dataclass(frozen=True)
class BuiltInParts:
    """The private parts of a built-in optimizer that its replacement needs."""

    variables: list[Any]
    excluded: set
    excluded_pattern: re.Pattern | None


def built_in_parts(optimizer: keras.optimizers.Optimizer) -> BuiltInParts:
    """Return a built-in optimizer's variables and what it excludes from weight decay.

    Why: Keras has no public access to them.
    """
    return BuiltInParts(
        variables=optimizer._trainable_variables,
        excluded=getattr(optimizer, "_exclude_from_weight_decay", set()),
        excluded_pattern=getattr(optimizer, "_exclude_from_weight_decay_pattern", None),
    )


def all_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the layers of a model, nested ones included.

    Why: `layers` has only the outermost.
    """
    return model._flatten_layers(include_self=False)


# Undoes what a `watch_...` function has replaced.
Undo = Callable[[], None]


def watch_loading(context: Callable[[keras.Model], AbstractContextManager]) -> Undo:
    """Make all loading of weights into a model run inside a context.

    Why: Keras loads the layers before the optimizer. An optimizer that rejects the file cannot
    undo that, and no object learns that another one failed to load.
    """

    def in_context(original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def load_weights(model: keras.Model, *args: Any, **kwargs: Any) -> None:
            with context(model):
                original(model, *args, **kwargs)

        return load_weights

    owners = (keras.Model, keras.saving)
    return _all_of(*(_replace(owner, "load_weights", in_context) for owner in owners))


def watch_state_trees(
    add: Callable[[keras.Model, dict, str], None], take: Callable[[keras.Model, dict], None]
) -> Undo:
    """Add our state to the state tree of a model, and take it from a tree that is set.

    Why: Keras builds the tree, which orbax saves, from `optimizer.variables` alone.
    """

    def with_more(original: Callable[..., dict]) -> Callable[..., dict]:
        @functools.wraps(original)
        def get_state_tree(model: keras.Model, value_format: str = "backend_tensor") -> dict:
            tree = original(model, value_format)
            add(model, tree, value_format)
            return tree

        return get_state_tree

    def taken_out(original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def set_state_tree(model: keras.Model, state_tree: dict) -> None:
            original(model, state_tree)
            take(model, state_tree)

        return set_state_tree

    return _all_of(
        _replace(keras.Model, "get_state_tree", with_more),
        _replace(keras.Model, "set_state_tree", taken_out),
    )


def watch_callback_lists(
    *callback_for: Callable[[keras.Model, list], keras.callbacks.Callback | None],
) -> Undo:
    """Insert callbacks at the front of every callback list that Keras makes for a model.

    Why: `fit`, `evaluate` and `predict` tell an optimizer neither when they begin nor when they
    evaluate. They all make a `CallbackList`, a public class. Its constructor is the only place to
    learn of it without the user's help.
    """

    def with_ours(original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def constructor(self: Any, callbacks: Any = None, *args: Any, **kwargs: Any) -> None:
            original(self, callbacks, *args, **kwargs)
            model = kwargs.get("model")
            if model is None:
                return
            others = list(self.callbacks)
            for added in [choose(model, others) for choose in callback_for]:
                if added is not None:
                    added.set_model(model)
                    added.set_params(self.params)
                    self.callbacks.insert(0, added)

        return constructor

    return _replace(keras.callbacks.CallbackList, "__init__", with_ours)


def watch_fit(after: Callable[[keras.Model], None]) -> Undo:
    """Call a function with the model after every `fit`, even one that ends in an error.

    Why: Keras does not notify callbacks of an error: `on_train_end` is for a `fit` that succeeds.
    """

    def followed(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def fit(model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            try:
                return original(model, *args, **kwargs)
            finally:
                after(model)

        return fit

    return _replace(keras.Model, "fit", followed)


def _replace(owner: Any, name: str, make: Callable[[Callable], Callable]) -> Undo:
    """Replace an attribute by what `make` returns for it, and return a function that undoes this.

    If something else has replaced the attribute since, that function leaves it alone.
    """
    was_inherited, original = name not in vars(owner), getattr(owner, name)
    replacement = make(original)
    setattr(owner, name, replacement)

    def undo() -> None:
        if vars(owner).get(name) is not replacement:
            return
        if was_inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, original)

    return undo


def _all_of(*undos: Undo) -> Undo:
    def undo_all() -> None:
        for undo in undos:
            undo()

    return undo_all
