"""`tf.distribute` strategies give the weights of one device on the same batches."""

import json

import keras
import numpy as np
import pytest
from device_training import CONFIGURATIONS, HALF_PRECISION, assert_same_bits, free_port

pytestmark = [
    # One of the configurations skips steps.
    pytest.mark.filterwarnings("ignore:Expected finite gradients"),
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="tf.distribute is TensorFlow's"
    ),
]

# Relative to the distance travelled in 30 steps, over all weights together. One device differs from
# itself, with the batch in another order, by 1e-7 to 4e-7.
TOLERANCE = 1e-6
ELSEWHERE = ("sgd_momentum", "one_cycle_schedules", "stochastic_rounding", "table_sgd")
ON_TWO = [name for name in CONFIGURATIONS if name not in ELSEWHERE]
ON_FOUR = ["adam", "one_cycle", "muon", "schedule_free", "groups", "clipnorm", "table_clipnorm"]
ON_WORKERS = ["adam", "one_cycle_schedules", "muon", "schedule_free", "groups", "clipnorm"]


@pytest.fixture(scope="module")
def mirrored(start):
    """Return results by number of replicas; both processes run at the same time."""
    waiting = {
        2: start("mirrored_worker.py", 2, *ON_TWO),
        4: start("mirrored_worker.py", 4, *ON_FOUR),
    }
    return {replicas: results() for replicas, results in waiting.items()}


@pytest.fixture(scope="module")
def nonfinite(start):
    """Return states and reports of steps where one replica has a NaN."""
    return start("nonfinite_worker.py")()


@pytest.fixture(scope="module")
def workers(start):
    """Return the results of two workers on this machine."""
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    configurations = [
        json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        for index in range(2)
    ]
    waiting = [
        start("multi_worker.py", *ON_WORKERS, TF_CONFIG=configuration)
        for configuration in configurations
    ]
    return [results() for results in waiting]


@pytest.mark.processes
@pytest.mark.parametrize(
    ("replicas", "name"),
    [(2, name) for name in ON_TWO if name not in HALF_PRECISION] + [(4, name) for name in ON_FOUR],
)
def test_mirrored_strategy_gives_the_weights_of_one_device(mirrored, one_device, replicas, name):
    assert one_device.difference(name, mirrored[replicas][name]) <= TOLERANCE


@pytest.mark.processes
@pytest.mark.parametrize(
    ("replicas", "name"),
    [(2, name) for name in ON_TWO] + [(4, name) for name in ON_FOUR],
)
def test_replicas_hold_the_same_bits(mirrored, replicas, name):
    results = mirrored[replicas]
    first = results[f"{name}/copies/0"]
    for n in range(1, replicas):
        assert_same_bits(first, results[f"{name}/copies/{n}"])


@pytest.mark.processes
@pytest.mark.parametrize("name", ON_WORKERS)
def test_multi_worker_strategy_gives_the_weights_of_one_device(workers, one_device, name):
    assert one_device.difference(name, workers[0][name]) <= TOLERANCE


@pytest.mark.processes
@pytest.mark.parametrize("name", ON_WORKERS)
def test_workers_hold_the_same_bits(workers, name):
    for key in (name, f"{name}/optimizer"):
        assert_same_bits(workers[0][key], workers[1][key])


@pytest.mark.processes
@pytest.mark.parametrize("faulty", [0, 1])
@pytest.mark.parametrize("loop", ["fit", "own"])
@pytest.mark.parametrize("mode", ["skip", "raise"])
def test_a_nan_in_one_replica_leaves_all_replicas_as_they_were(nonfinite, mode, loop, faulty):
    name = f"{mode}/{loop}/{faulty}"
    skipped, message = nonfinite[f"{name}/report"]
    assert skipped == 1
    assert ("gradient of `model/first/kernel`" in str(message)) == (mode == "raise")
    for when in ("before", "after", "later"):
        assert_same_bits(nonfinite[f"{name}/{when}/0"], nonfinite[f"{name}/{when}/1"])
    before, later = nonfinite[f"{name}/before/0"], nonfinite[f"{name}/later/0"]
    assert_same_bits(before, nonfinite[f"{name}/after/0"])
    # Finite gradients change everything except the learning rate.
    assert sum(np.array_equal(*pair) for pair in zip(before, later, strict=True)) == 1
    assert all(np.isfinite(array).all() for array in later)


@pytest.mark.processes
@pytest.mark.parametrize("name", ["clipnorm", "global_clipnorm", "clipvalue", "one_cycle"])
def test_compared_options_change_the_weights(one_device, name):
    _, plain = one_device.start_and_end("sgd_momentum")
    _, other = one_device.start_and_end(name)
    assert np.linalg.norm(other - plain) > 0.01 * np.linalg.norm(plain)
