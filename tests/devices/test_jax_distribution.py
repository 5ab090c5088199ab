"""`keras.distribution` gives the weights of one device, and shards slots like their variable."""

import keras
import pytest
from device_training import HALF_PRECISION
from sharded_worker import LAYOUTS, RESUMED

pytestmark = [
    # One of the configurations skips steps.
    pytest.mark.filterwarnings("ignore:Expected finite gradients"),
    pytest.mark.processes,
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="keras.distribution works on JAX"),
]

# Relative to the distance travelled in 30 steps, over all weights together.
TOLERANCE = 1e-6
TRAINED = [(layout, name) for layout, names in LAYOUTS.items() for name in names]
FILES = [(file, name) for file in ("weights.h5", "keras") for name in RESUMED]


@pytest.fixture(scope="module")
def sharded(start):
    return start("sharded_worker.py", XLA_FLAGS="--xla_force_host_platform_device_count=8")()


@pytest.mark.parametrize(
    ("layout", "name"), [pair for pair in TRAINED if pair[1] not in HALF_PRECISION]
)
def test_a_distribution_gives_the_weights_of_one_device(sharded, one_device, layout, name):
    assert one_device.difference(name, sharded[f"{layout}/{name}"]) <= TOLERANCE


@pytest.mark.parametrize(("file", "name"), FILES)
def test_training_goes_on_from_a_file_under_another_layout(sharded, one_device, file, name):
    assert one_device.difference(name, sharded[f"resumed/{file}/{name}"]) <= TOLERANCE


@pytest.mark.parametrize(
    ("layout", "name"), TRAINED + [(f"resumed/{file}", name) for file, name in FILES]
)
def test_slots_are_spread_like_their_variable(sharded, layout, name):
    devices = {"data_4": 4, "data_8": 8, "model_2x2": 4}.get(layout, 8)
    parts_of_a_variable = {"data_4": 1, "data_8": 1, "model_2x2": 2}.get(layout, 4)
    *split, last_bias = sharded[f"spread/{layout}/{name}"]
    for on, elements, elements_on_one, slots, slots_alike in split:
        assert on == devices
        assert elements == elements_on_one * parts_of_a_variable
        assert slots == slots_alike > 0
    # The layout says nothing about this one.
    on, elements, elements_on_one, slots, slots_alike = last_bias
    assert (on, elements_on_one, slots_alike) == (devices, elements, slots)
