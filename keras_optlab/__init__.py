"""Optimizers, learning-rate schedules and callbacks for Keras 3, each a formula you can read."""

import sys
from pathlib import Path

from keras_optlab.version import __version__, check_keras

__all__ = [
    "ParameterGroup",
    "__version__",
    "callbacks",
    "from_keras",
    "lab",
    "layerwise_decay",
    "optimizers",
    "schedules",
]

# The command picks the backend, or says that it is missing, before Keras may be imported; it then
# calls `_load` itself.
_IS_COMMAND = Path(*sys.argv[:1]).stem == "optlab" or sys.orig_argv[1:3] == ["-m", __name__]


def _load() -> None:
    """Bring in what needs Keras, once."""
    if "from_keras" in globals():
        return
    import keras

    check_keras(keras.__version__)

    from keras_optlab import callbacks, lab, optimizers, schedules
    from keras_optlab.engine.conversion import from_keras
    from keras_optlab.engine.evaluation import switch_for
    from keras_optlab.engine.fault_watch import watch_for
    from keras_optlab.engine.groups import ParameterGroup, layerwise_decay
    from keras_optlab.engine.keras_hooks import (
        watch_callback_lists,
        watch_loading,
        watch_state_trees,
    )
    from keras_optlab.engine.loading import whole_or_not_at_all
    from keras_optlab.engine.state_tree import add_to_tree, take_from_tree

    # Keras' training loops then serve optimizers that need more of them than Keras' own.
    watch_callback_lists(switch_for, watch_for)
    watch_loading(whole_or_not_at_all)
    watch_state_trees(add_to_tree, take_from_tree)
    globals().update(
        ParameterGroup=ParameterGroup,
        callbacks=callbacks,
        from_keras=from_keras,
        lab=lab,
        layerwise_decay=layerwise_decay,
        optimizers=optimizers,
        schedules=schedules,
    )


if not _IS_COMMAND:
    _load()
