"""torch: the code path of each device gives the same numbers, here with tensors on CPU.

The path of `torch.compile` is one of the contexts in `tests/contexts`.
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

# Formulas that a kernel computes.
KERNELS = {
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "SGD": {"momentum": 0.9},
    "SGD in Keras' form": {"momentum": 0.9, "nesterov": True},
    "Adagrad": {},
    "Adagrad of its paper": {"epsilon_inside_root": False},
}
# Run by a kernel, cut anywhere, cut by rows, and taken whole.
ALGORITHMS = ["Adam", "RMSprop", "Lamb", "Muon"]
SHAPES = [(600, 500), (7, 5), (7, 5), (5,)]


def train(name, run=None, **arguments):
    """Return the weights after three steps, with updates run by default or by `run`."""
    random = np.random.default_rng(4)
    shapes = [(40, 50), *SHAPES[1:]] if name == "Muon" else SHAPES
    variables = [keras.Variable(random.normal(size=s).astype("float32")) for s in shapes]
    optimizer = getattr(optimizers, name)(0.01, **arguments)
    optimizer.build(variables)
    if run:
        optimizer.engine.stepper = Stepper(optimizer, run)
    for _ in range(3):
        gradients = [torch.as_tensor(random.normal(size=s), dtype=torch.float32) for s in shapes]
        optimizer.apply(gradients, variables)
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def take_the_path_of_cuda(monkeypatch):
    """Pass kernels lists of whole variables, and cut nothing into blocks."""
    monkeypatch.setattr(torch_kernels, "takes_lists", lambda device: True)
    monkeypatch.setattr(torch_blocks, "run", lambda job, compiled: job.run())


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_path_of_cuda_gives_the_numbers_of_that_of_cpu(name, monkeypatch):
    by_cpu = train(name)
    take_the_path_of_cuda(monkeypatch)
    for on_cuda, on_cpu in zip(train(name), by_cpu, strict=True):
        np.testing.assert_allclose(on_cuda, on_cpu, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_takes_a_list_of_all_variables_on_cuda(name, monkeypatch):
    """The kernel also matches single operations."""
    algorithm, arguments = name.split(" ")[0], KERNELS[name]
    by_operations = train(algorithm, jit_compile=False, **arguments)
    take_the_path_of_cuda(monkeypatch)
    lengths = []
    kernel = torch_kernels.KERNELS[getattr(optimizers, algorithm)]

    def run(optimizer, lists, h):
        lengths.append([len(tensors) for tensors in lists.values()])
        return kernel.run(optimizer, lists, h)

    entry = {getattr(optimizers, algorithm): kernel._replace(run=run)}
    monkeypatch.setattr(torch_kernels, "KERNELS", torch_kernels.KERNELS | entry)
    for on_cuda, by_operation in zip(train(algorithm, **arguments), by_operations, strict=True):
        np.testing.assert_allclose(on_cuda, by_operation, rtol=2e-6, atol=1e-7)
    assert lengths == [[len(SHAPES)] * len(lengths[0])] * 3


@pytest.mark.parametrize("name", ALGORITHMS)
def test_tensors_elsewhere_have_neither_kernels_nor_blocks(name, monkeypatch):
    """The tensors have no values, so the test can only check which code runs."""
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
