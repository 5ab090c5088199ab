"""All-or-nothing `load_weights`: roll back on failure, where Keras loads object after object."""

import contextlib
from collections.abc import Callable, Iterator

import keras
from keras import ops

from keras_optlab.engine.optimizer import optimizers_of
from keras_optlab.keras_glue.hooks import all_layers, is_attached


@contextlib.contextmanager
def whole_or_not_at_all(model: keras.Model) -> Iterator[None]:
    """Roll back a model that one of our optimizers trains if the block raises.

    This covers layers, metrics, the optimizer with all of its state, and state from a previously
    loaded file that waits for an optimizer to be built.
    """
    optimizers = optimizers_of(model)
    if not optimizers:
        yield
        return
    put_back = values(model)
    try:
        with contextlib.ExitStack() as transactions:
            for optimizer in optimizers:
                transactions.enter_context(optimizer.engine.saved_state.transaction())
            yield
    except BaseException as error:
        put_back()
        error.add_note("Nothing was loaded: the model and its optimizer are unchanged.")
        raise


def values(model: keras.Model) -> Callable[[], None]:
    """Copy all variables of a model, and return a function that restores their values.

    Variables of an optimizer that wraps ours are included.
    """
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    # JAX arrays are immutable, so they need no copy.
    keep = ops.convert_to_tensor if keras.backend.backend() == "jax" else ops.copy
    buffers = model.buffers() if keras.backend.backend() == "torch" else ()
    tensors = [(buffer, buffer.clone()) for buffer in buffers]
    attached = {id(variable): variable for variable in variables if is_attached(variable)}
    kept = [(variable, keep(variable)) for variable in attached.values()]

    def put_back() -> None:
        for variable, value in kept:
            variable.assign(value)
        for tensor, value in tensors:
            tensor.copy_(value)
        for layer in all_layers(model):
            # The only layer that caches values computed from its variables.
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()

    return put_back
