"""One variable's part of a step, on its way from the optimizer to the backend."""

from typing import TYPE_CHECKING, Any, NamedTuple, final

if TYPE_CHECKING:
    from keras_optlab.engine.plan import Plan


@final
class Update(NamedTuple):
    """What a backend needs to update one variable.

    Args:
        variable: The variable; on TensorFlow perhaps the part of it that one replica holds.
        gradient: Its gradient.
        plan: How it is updated.
        h: Hyperparameters of this step by name.
    """

    variable: Any
    gradient: Any
    plan: "Plan"
    h: dict[str, Any]
