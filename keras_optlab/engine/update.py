"""The update of one variable in a step, as the optimizer hands it to the backend."""

from typing import TYPE_CHECKING, Any, NamedTuple, final

if TYPE_CHECKING:
    from keras_optlab.engine.plan import Plan


@final
class Update(NamedTuple):
    """What a backend needs to update one variable.

    Args:
        variable: The variable; on TensorFlow possibly one replica's part of it.
        gradient: Its gradient.
        plan: Its update plan.
        h: Hyperparameters of this step by name.
    """

    variable: Any
    gradient: Any
    plan: "Plan"
    h: dict[str, Any]
