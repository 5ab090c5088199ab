"""Installs hooks into Keras' loops, once an optimizer that needs them is created.

Importing the package patches nothing. Each hook acts only on models with an optimizer of this
package, and `remove` uninstalls all hooks.
"""

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
    if "loading" not in _installed:
        _installed["loading"] = hooks.watch_loading(whole_or_not_at_all)
    if "state trees" not in _installed:
        _installed["state trees"] = hooks.watch_state_trees(add_to_tree, take_from_tree)
    needs_callbacks = optimizer.evaluates_elsewhere or optimizer.nonfinite != "apply"
    if needs_callbacks and "callback lists" not in _installed:
        _installed["callback lists"] = hooks.watch_callback_lists(switch_for, watch_for)


def remove() -> None:
    """Uninstall all hooks; the next optimizer that needs one installs it again."""
    for undo in _installed.values():
        undo()
    _installed.clear()
