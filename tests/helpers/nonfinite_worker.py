"""Take steps where one of two replicas has a NaN: `nonfinite_worker.py RESULTS`."""

import itertools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from mirrored_worker import logical_cpus

REPLICAS = 2


def own_loop(strategy: tf.distribute.Strategy, model: Any) -> Callable[[Any, Any], None]:
    """Return a custom compiled training step on one batch."""
    with strategy.scope():
        model.optimizer.build(model.trainable_variables)

    @tf.function(autograph=False)
    def step(x: tf.Tensor, y: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x) - y))
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(loss, variables), variables)

    def share(array: np.ndarray) -> Any:
        parts = np.split(array, REPLICAS)
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    def train(x: np.ndarray, y: np.ndarray) -> None:
        strategy.run(step, (share(x), share(y)))
        model.optimizer.report_faults()

    return train


def main(results_path: str) -> None:
    cpus = logical_cpus(REPLICAS)

    from device_training import BATCH, Results, compiled_model, data

    from keras_optlab import optimizers

    strategy = tf.distribute.MirroredStrategy(cpus)
    results = Results()
    x, y = (array[:BATCH] for array in data("adam"))
    for mode, loop, faulty in itertools.product(("skip", "raise"), ("fit", "own"), range(REPLICAS)):
        with strategy.scope():
            model = compiled_model("adam")
            model.compile(optimizers.Adam(0.01, nonfinite=mode), "mse")
        train = own_loop(strategy, model) if loop == "own" else model.fit
        train(x, y)
        # Without the count of skipped steps, which a skipped step increments.
        state = [*model.trainable_variables, *model.optimizer.saved_variables]

        def note(when: str, name: str = f"{mode}/{loop}/{faulty}", state: list = state) -> None:
            copies = [strategy.experimental_local_results(variable.value) for variable in state]
            for n in range(REPLICAS):
                results.add(f"{name}/{when}/{n}", [copy[n].numpy() for copy in copies])

        note("before")
        with_nan = x.copy()
        with_nan[faulty * BATCH // REPLICAS] = np.nan
        message = ""
        try:
            train(with_nan, y)
        except ValueError as error:
            message = str(error)
        note("after")
        train(x, y)
        note("later")
        skipped = np.array(model.optimizer.skipped_steps)
        results.add(f"{mode}/{loop}/{faulty}/report", [skipped, np.array(message)])
    results.save(results_path)


if __name__ == "__main__":
    main(sys.argv[1])
