"""Methods of an optimizer for training at one point and evaluating at another."""

from typing import Any

from keras_optlab.keras_glue.hooks import HookedOptimizer, is_attached


class TwoPoints(HookedOptimizer):
    """Moves the variables between the training and evaluation points; abstract.

    The points differ only for a few algorithms and transforms, such as `ScheduleFreeAdamW` and
    `Average`.
    """

    def to_evaluation_point(self) -> None:
        """Move the variables to the point at which the model is evaluated and saved.

        `fit`, `evaluate` and `predict` call this themselves. The training point is kept, exact to
        the last bit.
        """
        self.engine.points.to_evaluation()

    def to_training_point(self) -> None:
        """Move the variables back to the training point; see `to_evaluation_point`.

        If a variable was changed in between, training continues from its new value.
        """
        self.engine.points.to_training()

    def fetch_training_point(self) -> None:
        """Fetch the training point that a restored TensorFlow checkpoint holds."""
        self.engine.points.fetch()

    @property
    def is_evaluating(self) -> bool:
        """Whether the variables are at the evaluation point, not at the training point."""
        return self.engine.points.is_evaluating

    @property
    def evaluates_elsewhere(self) -> bool:
        """Whether the evaluation point differs from the training point."""
        return self.engine.points.differ

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Set the variables to their final values; Keras calls this at the end of `fit`."""
        # Keras also calls this after an error that left the variables without values (JAX).
        if not is_attached(self.step_count):
            return
        super().finalize_variable_values(var_list)
        if self.evaluates_elsewhere and not self.use_ema:
            self.to_evaluation_point()
