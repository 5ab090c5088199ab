"""What an optimizer is made of: the objects that its class hands its work to."""

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    from keras_optlab.engine.exclusions import Exclusions
    from keras_optlab.engine.faults import Faults
    from keras_optlab.engine.numbers import Numbers
    from keras_optlab.engine.plan import Plan
    from keras_optlab.engine.points import Points
    from keras_optlab.engine.saved_state import SavedState
    from keras_optlab.engine.state import ExtraState
    from keras_optlab.engine.step import Stepper
    from keras_optlab.engine.transform import Placed


class Parts:
    """The parts of an optimizer; abstract. Keras tracks none of them."""

    # What reads and writes all state, and the state that built-ins do not have.
    saved_state: "SavedState"
    extra_state: "ExtraState"
    # How each variable is updated, once built; before, none.
    plans: "list[Plan]"
    numbers: "Numbers"
    stepper: "Stepper"
    points: "Points"
    exclusions: "Exclusions"
    placed_transforms: "tuple[Placed, ...]"
    # Dtype of the numbers: the widest of the variables' arithmetic.
    dtype: str
    # Whether a step was traced, and whether the optimizer was built in a trace.
    compiled: bool
    built_in_trace: bool
    # Made in `build` where they are needed.
    evaluating: keras.Variable
    rounding_seed: keras.Variable | None
    random_seed: keras.Variable | None
    faults: "Faults | None"
