"""An optimizer's methods for training at one point and evaluating at another."""

from typing import Any

from keras_optlab.keras_glue.hooks import HookedOptimizer, is_attached


class TwoPoints(HookedOptimizer):
    """Moves the variables between the two points; abstract.

    They differ for the few algorithms and transforms that train elsewhere, such as
    `ScheduleFreeAdamW` and `Average`.
    """

    def to_evaluation_point(self) -> None:
        """Move the variables to where the model is to be evaluated and saved.

        `fit`, `evaluate` and `predict` call it themselves. The training point is kept, to the last
        bit.
        """
        self.engine.points.to_evaluation()

    def to_training_point(self) -> None:
        """Move the variables back to where training goes on; see `to_evaluation_point`.

        Where somebody has changed a variable in between, training goes on from there.
        """
        self.engine.points.to_training()

    def fetch_training_point(self) -> None:
        """Have the training point here that a restored checkpoint of TensorFlow holds."""
        self.engine.points.fetch()

    @property
    def is_evaluating(self) -> bool:
        """Whether the variables are at the evaluation point, not where training goes on."""
        return self.engine.points.is_evaluating

    @property
    def evaluates_elsewhere(self) -> bool:
        """Whether the model is evaluated elsewhere than it is trained."""
        return self.engine.points.differ

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Leave the variables as they are to be kept; Keras calls it at the end of `fit`."""
        # Keras also comes here after an error that left the variables without values (JAX).
        if not is_attached(self.step_count):
            return
        super().finalize_variable_values(var_list)
        if self.evaluates_elsewhere and not self.use_ema:
            self.to_evaluation_point()
