"""One process of `DistributedDataParallel`: `ddp_worker.py RESULTS RANK PROCESSES PORT NAMES`.

The loop follows Keras' guides "Multi-GPU distributed training with PyTorch" and "Writing a
training loop from scratch in PyTorch".
"""

import sys

import torch
from device_training import (
    BATCH,
    Results,
    batches,
    compiled_model,
    optimizer_state,
    weights,
)


def train(name: str, rank: int, processes: int):
    """Train on this process' part of each batch, and return the model."""
    model = compiled_model(name)
    optimizer = model.optimizer
    parallel = torch.nn.parallel.DistributedDataParallel(model)
    loss_function = torch.nn.MSELoss()
    share = BATCH // processes
    for x, y in batches(name):
        mine = slice(rank * share, (rank + 1) * share)
        loss = loss_function(parallel(torch.from_numpy(x[mine])), torch.from_numpy(y[mine]))
        model.zero_grad()
        loss.backward()
        variables = model.trainable_weights
        gradients = [variable.value.grad for variable in variables]
        with torch.no_grad():
            optimizer.apply(gradients, variables)
    optimizer.finalize_variable_values(model.trainable_variables)
    return model


def main(results_path: str, rank: int, processes: int, port: int, names: list[str]) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=processes
    )
    results = Results()
    for name in names:
        model = train(name, rank, processes)
        results.add(name, weights(model))
        results.add(f"{name}/optimizer", optimizer_state(model))
    torch.distributed.destroy_process_group()
    results.save(results_path)


if __name__ == "__main__":
    path, rank, processes, port, *names = sys.argv[1:]
    main(path, int(rank), int(processes), int(port), names)
