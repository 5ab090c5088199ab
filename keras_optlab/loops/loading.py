"""All-or-nothing `load_weights`: roll back on failure, where Keras loads object after object."""

import contextlib
from collections.abc import Callable, Iterator

import keras
from keras import ops

from keras_optlab.engine.optimizer import optimizers_of
from keras_optlab.keras_glue.hooks import all_layers, is_attached


@contextlib.contextmanager
def whole_or_not_at_all(model: keras.Model) -> Iterator[None]:
    """Put a model that one of our optimizers trains back as it was if the block raises.

    Layers, metrics, the optimizer with all of its state, and what a file that was loaded before
    holds for an optimizer which is not built yet.
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
        error.add_note("Nothing was loaded: the model and its optimizer are as they were.")
        raise


def values(model: keras.Model) -> Callable[[], None]:
    """The values of all variables of a model, those of an optimizer around ours included."""
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    # Arrays of JAX never change, and so need no copy.
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
            # The one layer that keeps what it computes from its variables.
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()

    return put_back
