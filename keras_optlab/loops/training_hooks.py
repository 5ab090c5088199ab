"""Installs hooks into Keras' loops, once an optimizer or callback that needs them is created.

Importing the package patches nothing. Each hook acts only on models with an optimizer or callback
of this package, and `remove` uninstalls all hooks.
"""

from collections.abc import Callable

from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.keras_glue import hooks
from keras_optlab.loops.evaluation import switch_for
from keras_optlab.loops.fault_watch import watch_for
from keras_optlab.loops.loading import whole_or_not_at_all
from keras_optlab.loops.state_tree import add_to_tree, take_from_tree

# Functions that undo the installed hooks, by the name of the hook.
_installed: dict[str, hooks.Undo] = {}


def install_for(optimizer: Optimizer) -> None:
    """Install the hooks that an optimizer needs, unless they are installed already."""
    install("loading", lambda: hooks.watch_loading(whole_or_not_at_all))
    install("state trees", lambda: hooks.watch_state_trees(add_to_tree, take_from_tree))
    if optimizer.evaluates_elsewhere or optimizer.nonfinite != "apply":
        install("callback lists", lambda: hooks.watch_callback_lists(switch_for, watch_for))


def install(name: str, hook: Callable[[], hooks.Undo]) -> None:
    """Install a hook, unless one of this name is installed already."""
    if name not in _installed:
        _installed[name] = hook()


def remove() -> None:
    """Uninstall all hooks; the next optimizer or callback that needs one installs it again."""
    for undo in _installed.values():
        undo()
    _installed.clear()
