"""One worker of `MultiWorkerMirroredStrategy`: `multi_worker.py RESULTS NAMES`, and `TF_CONFIG`.

It trains in a custom loop, because Keras 3's `fit` fails there with any optimizer (keras issue
20585).
"""

import sys

import tensorflow as tf


def main(results_path: str, names: list[str]) -> None:
    # Must be created before TensorFlow does anything else, including the import of Keras.
    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    from device_training import BATCH, Results, batches, compiled_model, optimizer_state, weights

    worker = strategy.cluster_resolver.task_id
    share = BATCH // strategy.num_replicas_in_sync
    results = Results()
    for name in names:
        with strategy.scope():
            model = compiled_model(name)
            model.optimizer.build(model.trainable_variables)
        step = compiled_step(strategy, model)
        for x, y in batches(name):
            mine = slice(worker * share, (worker + 1) * share)
            step(tf.constant(x[mine]), tf.constant(y[mine]))
        model.optimizer.finalize_variable_values(model.trainable_variables)
        results.add(name, weights(model))
        results.add(f"{name}/optimizer", optimizer_state(model))
    results.save(results_path)


def compiled_step(strategy, model):
    """Return a function that trains on this worker's part of a batch."""

    def one_replica(x, y):
        with tf.GradientTape() as tape:
            # Gradients are summed over workers, so each contributes its share of the mean.
            error = tf.reduce_mean(tf.square(model(x, training=True) - y))
            loss = error / strategy.num_replicas_in_sync
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)

    return tf.function(lambda x, y: strategy.run(one_replica, (x, y)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
