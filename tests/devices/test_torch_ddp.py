"""torch's `DistributedDataParallel` in a custom loop gives the weights of one process."""

import keras
import pytest
from device_training import HALF_PRECISION, MAIN, assert_same_bits, free_port

pytestmark = [
    # One of the configurations skips steps.
    pytest.mark.filterwarnings("ignore:Expected finite gradients"),
    pytest.mark.processes,
    pytest.mark.skipif(
        keras.backend.backend() != "torch", reason="DistributedDataParallel is torch's"
    ),
]

# Relative to the distance travelled in 30 steps, over all weights together.
TOLERANCE = 1e-6
PROCESSES = 2
COMPARED = [*MAIN, "accumulation", "accumulation_schedule_free", "table_adagrad", "skip"]
TRAINED = [*COMPARED, *HALF_PRECISION]


@pytest.fixture(scope="module")
def processes(start):
    """Return the results of each process."""
    port = free_port()
    waiting = [start("ddp_worker.py", rank, PROCESSES, port, *TRAINED) for rank in range(PROCESSES)]
    return [results() for results in waiting]


@pytest.mark.parametrize("name", COMPARED)
def test_processes_give_the_weights_of_one(processes, one_device, name):
    assert one_device.difference(name, processes[0][name]) <= TOLERANCE


@pytest.mark.parametrize("name", TRAINED)
def test_processes_hold_the_same_bits(processes, name):
    for key in (name, f"{name}/optimizer"):
        assert_same_bits(processes[0][key], processes[1][key])
