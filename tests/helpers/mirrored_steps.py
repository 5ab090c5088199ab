"""Take the steps in two replicas, on two logical CPUs: `mirrored_steps.py RESULTS`."""

import sys
from collections.abc import Callable

import tensorflow as tf


def replicated_step(strategy, optimizer, variables) -> Callable[[list], None]:
    """Return a function of gradients that takes one step in all replicas."""

    def step(gradients):
        # A quarter of the gradient comes from one replica, the rest from the other.
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        share = tf.where(replica == 0, 0.25, 0.75)
        optimizer.apply([share * gradient for gradient in gradients], variables)

    replicated = tf.function(lambda gradients: strategy.run(step, (gradients,)))
    return lambda gradients: replicated([tf.constant(gradient) for gradient in gradients])


def main(path: str) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

    import numpy as np
    from keras_versions import OF_KERAS
    from stepping import FEW_SHAPES, Problem

    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    results = {}
    for name in OF_KERAS:
        problem = Problem(name, FEW_SHAPES)
        with strategy.scope():
            optimizer, variables = problem.make()
        problem.run(replicated_step(strategy, optimizer, variables), optimizer)
        for number, variable in enumerate(variables):
            copies = strategy.experimental_local_results(variable.value)
            for replica, copy in enumerate(copies):
                results[f"{name}/{replica}/{number}"] = copy.numpy()
    np.savez(path, **results)


if __name__ == "__main__":
    main(sys.argv[1])
