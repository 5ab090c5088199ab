"""Values from inside a compiled training step, brought out without changing the step.

A callback sees neither the loss of a batch (the logs hold the mean of the epoch so far) nor its
gradients. On all backends, Keras' training loops pass both through the same public methods:
`Model.train_step`, `Metric.update_state` of the loss, and `apply` or `stateless_apply` of the
optimizer. These methods are replaced while a step is traced (or run, if nothing is traced), and
the two numbers leave the step with its logs.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, final

import keras
from keras import ops

from keras_optlab.backends import backend
from keras_optlab.engine import sparse

# Key of the two numbers in the logs, removed before anyone sees it.
KEY = "keras_optlab_step_probe"


@final
class StepProbe:
    """A model's train function, extended to return the loss and the gradient norm.

    Args:
        model: A compiled model. Its train function is left unchanged.

    Attributes:
        train_function: Takes the arguments of the model's train function. Returns that function's
            result, and a dict with `"gradient_norm"` if the step applied gradients, and `"loss"`
            if the model has a metric of this name.
    """

    def __init__(self, model: keras.Model) -> None:
        # `Any`, since Keras does not annotate the functions that it makes.
        self.model: Any = model
        self.optimizer = model.optimizer
        self.loss_metric = next((each for each in model.metrics if each.name == "loss"), None)
        self.own_step = model.train_step
        self.made = self.make()

    def make(self) -> Callable:
        """Have Keras make a train function around the watched step."""
        own = self.model.train_function
        with standing_in(self.model, "train_step", self.train_step):
            try:
                self.model.make_train_function(force=True)
                return self.model.train_function
            finally:
                self.model.train_function = own

    def train_function(self, *arguments: Any) -> tuple[Any, dict[str, Any]]:
        """Call the watched train function; see the class."""
        with standing_in(self.model, "train_step", self.train_step):
            result = self.made(*arguments)
        logs, *state = result if backend.step_sees_only_its_variables else (result,)
        logs = dict(logs)
        seen = logs.pop(KEY, {})
        return (logs, *state) if state else logs, seen

    def train_step(self, *arguments: Any) -> Any:
        """Run the model's train step, and add the values seen to its logs."""
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
        """Record the squared norms of gradients, and the loss, as they pass through."""
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
            # `stateless_apply` may call `apply`, which would count the gradients again.
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
    """Temporarily replace an object's method with a function."""
    # Not with setattr, which Keras overrides to track state to save.
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
    """Return the sum of squares of all gradients, each divided by the loss scale."""
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
