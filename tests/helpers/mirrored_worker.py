"""Train under `MirroredStrategy` on logical CPUs: `mirrored_worker.py RESULTS REPLICAS NAMES`."""

import sys

import tensorflow as tf


def logical_cpus(number: int) -> list[str]:
    """Make TensorFlow see several CPUs; only possible before it has used one."""
    physical = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        physical, [tf.config.LogicalDeviceConfiguration()] * number
    )
    return [f"CPU:{n}" for n in range(number)]


def main(results_path: str, replicas: int, names: list[str]) -> None:
    cpus = logical_cpus(replicas)

    from device_training import Results, compiled_model, fit, weights

    # Cover both ways in which TensorFlow sums: collective operations, and on one device.
    reduction = tf.distribute.ReductionToOneDevice() if replicas > 2 else None
    strategy = tf.distribute.MirroredStrategy(cpus, cross_device_ops=reduction)
    results = Results()
    for name in names:
        with strategy.scope():
            model = compiled_model(name)
        fit(model, name)
        results.add(name, weights(model))
        variables = [*model.variables, *model.optimizer.variables]
        copies = [strategy.experimental_local_results(v.value) for v in variables]
        for n in range(replicas):
            results.add(f"{name}/copies/{n}", [copy[n].numpy() for copy in copies])
    results.save(results_path)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
