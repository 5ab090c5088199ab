"""The object that an optimizer delegates its work to."""

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
    """The working parts of an optimizer, none of them tracked by Keras.

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
        # One plan per variable; none until the optimizer is built.
        self.plans: list[Plan] = []
        # Dtype of the numbers: the widest dtype of the variables' arithmetic.
        self.dtype = widest([keras.config.floatx()])
        # Whether a step has been traced, and whether the optimizer was built in a trace.
        self.traced = False
        self.built_in_trace = False
        # Created in `build` if needed.
        self.evaluating: keras.Variable
        self.rounding_seed: keras.Variable | None = None
        self.random_seed: keras.Variable | None = None
        self.faults: Faults | None = None
