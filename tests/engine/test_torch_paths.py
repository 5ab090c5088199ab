"""torch: the path of each device gives the same numbers, here with tensors on CPU.

That of `torch.compile` is one of the contexts in `tests/contexts`.
"""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "torch":
    pytest.skip("these paths are torch's", allow_module_level=True)

import torch

from keras_optlab import optimizers
from keras_optlab.backends import torch_blocks, torch_kernels, torch_updates
from keras_optlab.backends.torch_job import Job
from keras_optlab.engine.step import Stepper

# A formula that a kernel computes, one that is cut anywhere, one by rows, and one taken whole.
ALGORITHMS = ["Adam", "RMSprop", "Lamb", "Muon"]
SHAPES = [(600, 500), (7, 5), (7, 5), (5,)]


def train(name, run=None):
    """Weights after three steps, with updates run in the usual way or by a function."""
    random = np.random.default_rng(4)
    shapes = [(40, 50), *SHAPES[1:]] if name == "Muon" else SHAPES
    variables = [keras.Variable(random.normal(size=s).astype("float32")) for s in shapes]
    optimizer = getattr(optimizers, name)(0.01)
    optimizer.build(variables)
    if run:
        vars(optimizer)["stepper"] = Stepper(optimizer, run)
    for _ in range(3):
        gradients = [torch.as_tensor(random.normal(size=s), dtype=torch.float32) for s in shapes]
        optimizer.apply(gradients, variables)
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_path_of_cuda_gives_the_numbers_of_that_of_cpu(name, monkeypatch):
    by_cpu = train(name)
    # What CPU alone has, as the test below shows.
    monkeypatch.setattr(torch_kernels, "run", lambda jobs: jobs)
    monkeypatch.setattr(torch_blocks, "run", lambda job, compiled: job.run())
    for on_cuda, on_cpu in zip(train(name), by_cpu, strict=True):
        np.testing.assert_allclose(on_cuda, on_cpu, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_tensors_off_the_cpu_have_neither_kernels_nor_blocks(name, monkeypatch):
    """The tensors have no values, so that which code runs is all that can be seen."""
    whole = []
    monkeypatch.setattr(Job, "run", lambda job: whole.append(job))

    def on_meta(updates, jit_compile):
        for update in updates:
            job = Job.of(update)
            slots = {name: slot.to("meta") for name, slot in job.slots.items()}
            job = Job(update, job.value.to("meta"), job.gradient.to("meta"), slots)
            assert torch_kernels.run([job]) == [job]
            torch_updates.run_large(job, compiled=False)

    train(name, on_meta)
    assert len(whole) == 3 * len(SHAPES)
