"""What happens inside a compiled training step, brought out of it without changing it.

A callback sees neither the loss of a batch (the logs hold the mean of the epoch so far) nor its
gradients. Keras' training loops have three public places in common on all backends, through which
both pass: `Model.train_step`, `Metric.update_state` of the loss, and `apply` or `stateless_apply`
of the optimizer. While a step is traced (or, where nothing is traced, run) they are stood in for,
and the two numbers leave the step with its logs.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, final

import keras
from keras import ops

from keras_optlab.backends import backend
from keras_optlab.engine import sparse

# Where in the logs the numbers leave the step; nobody sees it there.
KEY = "keras_optlab_step_probe"


@final
class StepProbe:
    """Makes a train function of a model that also returns the loss and the gradients' norm.

    Args:
        model: A compiled model. Its train function stays as it is.

    Attributes:
        train_function: Takes the arguments of the model's train function. Returns what that
            returns, and a dict with `"gradient_norm"`, where the step applied gradients, and
            `"loss"`, where the model keeps a metric of this name.
    """

    def __init__(self, model: keras.Model) -> None:
        # Of any type, since Keras gives none to the functions that it makes.
        self.model: Any = model
        self.optimizer = model.optimizer
        self.loss_metric = next((each for each in model.metrics if each.name == "loss"), None)
        self.own_step = model.train_step
        self.made = self.make()

    def make(self) -> Callable:
        """A train function around the watched step, made by Keras."""
        own = self.model.train_function
        with standing_in(self.model, "train_step", self.train_step):
            try:
                self.model.make_train_function(force=True)
                return self.model.train_function
            finally:
                self.model.train_function = own

    def train_function(self, *arguments: Any) -> tuple[Any, dict[str, Any]]:
        """One call of the watched train function; see the class."""
        with standing_in(self.model, "train_step", self.train_step):
            result = self.made(*arguments)
        logs, *state = result if backend.step_sees_only_its_variables else (result,)
        logs = dict(logs)
        seen = logs.pop(KEY, {})
        return (logs, *state) if state else logs, seen

    def train_step(self, *arguments: Any) -> Any:
        """The model's train step, with what was seen of it added to its logs."""
        squares: list[Any] = []
        seen: dict[str, Any] = {}
        with self.watching(squares, seen):
            result = self.own_step(*arguments)
        if squares:
            seen["gradient_norm"] = ops.sqrt(sum(squares))
        if backend.step_sees_only_its_variables:
            logs, state = result
            return {**logs, KEY: seen}, state
        return {**result, KEY: seen}

    @contextlib.contextmanager
    def watching(self, squares: list[Any], seen: dict[str, Any]) -> Iterator[None]:
        """Note the squared norms of gradients, and the loss, as they pass by."""
        optimizer, metric = self.optimizer, self.loss_metric
        apply, stateless_apply = optimizer.apply, optimizer.stateless_apply

        def watched_apply(grads: Sequence[Any], *rest: Any, **named: Any) -> Any:
            squares.append(squared_norm(grads, optimizer.scale_loss(1.0)))
            return apply(grads, *rest, **named)

        def watched_stateless_apply(values: Sequence[Any], grads: Any, weights: Any) -> Any:
            held = list(zip(optimizer.variables, values, strict=True))
            with keras.StatelessScope(state_mapping=held):
                scale = optimizer.scale_loss(1.0)
            squares.append(squared_norm(grads, scale))
            # It may call `apply`, which would count the gradients again.
            with standing_in(optimizer, "apply", apply):
                return stateless_apply(values, grads, weights)

        with contextlib.ExitStack() as stack:
            stack.enter_context(standing_in(optimizer, "apply", watched_apply))
            stateless = standing_in(optimizer, "stateless_apply", watched_stateless_apply)
            stack.enter_context(stateless)
            if metric is not None:
                update_state = metric.update_state

                def watched_update(values: Any, *rest: Any, **named: Any) -> Any:
                    seen["loss"] = values
                    return update_state(values, *rest, **named)

                stack.enter_context(standing_in(metric, "update_state", watched_update))
            yield


@contextlib.contextmanager
def standing_in(owner: Any, name: str, function: Callable) -> Iterator[None]:
    """Have a function in the place of an object's method."""
    # Not by setattr, in which Keras looks for state to save.
    attributes = vars(owner)
    missing = object()
    before = attributes.get(name, missing)
    attributes[name] = function
    try:
        yield
    finally:
        if before is missing:
            del attributes[name]
        else:
            attributes[name] = before


def squared_norm(gradients: Sequence[Any], scale: Any) -> Any:
    """The sum of the squares of all gradients, each divided by the scale of the loss."""
    total = ops.zeros((), "float32")
    for gradient in gradients:
        if gradient is None:
            continue
        # Rows that were looked up several times are summed first.
        values = sparse.values_of(sparse.RowGradient.of(gradient))
        # The square of a float16 gradient overflows at 256.
        values = ops.cast(values, "float32")
        total = total + ops.sum(ops.square(values))
    return total / ops.cast(ops.square(scale), "float32")
