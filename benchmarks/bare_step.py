"""Step times of a built-in in a process that holds nothing else, printed as JSON.

Run by `benchmarks.bare_process` as a file, so that neither this package nor keras-optlab is loaded.
TensorFlow only: `python benchmarks/bare_step.py Adam '{"amsgrad": true}' graph 5000 5000 9`
"""

import json
import resource
import statistics
import sys
import time

import keras
import numpy as np
import tensorflow as tf


def main() -> None:
    """Measure one optimizer."""
    name, arguments, mode, rows, columns, rounds = sys.argv[1:]
    random = np.random.default_rng(0)
    shape = (int(rows), int(columns))
    weight = keras.Variable(0.05 * random.normal(size=shape).astype("float32"))
    gradient = tf.Variable(0.01 * random.normal(size=shape).astype("float32"))
    optimizer = getattr(keras.optimizers, name)(**json.loads(arguments))
    optimizer.build([weight])

    @tf.function(jit_compile=mode == "jit")
    def step() -> None:
        optimizer.apply([gradient.read_value()], [weight])

    for _ in range(3):
        step()
    seconds, faults = [], []
    for _ in range(int(rounds)):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        started = time.perf_counter()
        step()
        tf.gather(weight.value, [0]).numpy()
        seconds.append(time.perf_counter() - started)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    print(json.dumps({"seconds": seconds, "faults": statistics.median(faults)}))


if __name__ == "__main__":
    main()
