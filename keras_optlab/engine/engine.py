"""What an optimizer hands its work to, in one object."""

from typing import TYPE_CHECKING, final

import keras

from keras_optlab.engine.exclusions import Exclusions
from keras_optlab.engine.numbers import Numbers
from keras_optlab.engine.points import Points
from keras_optlab.engine.saved_state import SavedState
from keras_optlab.engine.step import Stepper
from keras_optlab.engine.storage import widest

if TYPE_CHECKING:
    from keras_optlab.engine.faults import Faults
    from keras_optlab.engine.optimizer import Optimizer
    from keras_optlab.engine.plan import Plan
    from keras_optlab.engine.transform import Placed


@final
class Engine:
    """The parts of an optimizer, none of which Keras tracks.

    Args:
        optimizer: The optimizer.
    """

    def __init__(self, optimizer: "Optimizer") -> None:
        self.saved_state = SavedState(optimizer)
        self.numbers = Numbers(optimizer)
        self.stepper = Stepper(optimizer)
        self.points = Points(optimizer)
        self.exclusions = Exclusions()
        self.transforms: tuple[Placed, ...] = ()
        # How each variable is updated, once built; before, none.
        self.plans: list[Plan] = []
        # Dtype of the numbers: the widest of the variables' arithmetic.
        self.dtype = widest([keras.config.floatx()])
        # Whether a step was traced, and whether the optimizer was built in a trace.
        self.compiled = False
        self.built_in_trace = False
        # Made in `build` where they are needed.
        self.evaluating: keras.Variable
        self.rounding_seed: keras.Variable | None = None
        self.random_seed: keras.Variable | None = None
        self.faults: Faults | None = None
