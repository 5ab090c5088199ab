"""Train under `keras.distribution` on 8 devices of JAX: `sharded_worker.py RESULTS`.

Weights are saved as `layout/configuration`, or `resumed/file/configuration` for a resumed run. How
variables and slots are sharded is saved under the same name with the prefix `spread/`.
"""

import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
from device_training import (
    HALF_PRECISION,
    MAIN,
    STEPS,
    Results,
    compiled_model,
    fit,
    weights,
)

LAYOUTS = {
    "data_4": [*MAIN, "accumulation", "accumulation_schedule_free", "skip"],
    "data_8": ["adam", "muon"],
    "model_2x2": [*MAIN, "one_cycle", "accumulation", "table_adagrad"],
    "model_2x4": ["groups", "muon", "table_adagrad", *HALF_PRECISION],
}
RESUMED = ["adam", "schedule_free"]


def distribution(layout: str) -> keras.distribution.DataParallel | keras.distribution.ModelParallel:
    """Return a distribution that shards the data, and in a `model` layout also the variables."""
    kind, _, number = layout.partition("_")
    devices = keras.distribution.list_devices("cpu")
    if kind == "data":
        return keras.distribution.DataParallel(devices=devices[: int(number)])
    shape = tuple(int(n) for n in number.split("x"))
    mesh = keras.distribution.DeviceMesh(
        shape, axis_names=("batch", "model"), devices=devices[: np.prod(shape)]
    )
    layout_map = keras.distribution.LayoutMap(mesh)
    layout_map[".*first/kernel"] = (None, "model")
    layout_map[".*first/bias"] = ("model",)
    layout_map[".*first/embeddings"] = ("model", None)
    layout_map[".*last/kernel"] = ("model", None)
    return keras.distribution.ModelParallel(layout_map=layout_map, batch_dim_name="batch")


def spread(model: keras.Model) -> list[np.ndarray]:
    """Return how each trainable variable and its slots are sharded.

    Each variable has an array: number of devices, elements of the variable, elements of its shard
    on one device, number of slots of its shape, and how many of them are sharded like it.
    """
    found = []
    for number, variable in enumerate(model.trainable_variables):
        value = variable.value
        plan = model.optimizer.engine.plans[number]
        slots = [slot.value for slot in plan.slots.values() if slot.shape == variable.shape]
        alike = [slot.sharding.is_equivalent_to(value.sharding, value.ndim) for slot in slots]
        part = value.addressable_shards[0].data
        figures = len(value.sharding.device_set), value.size, part.size, len(slots), sum(alike)
        found.append(np.array(figures))
    return found


def resume(name: str, file: str, folder: str) -> keras.Model:
    """Train halfway on 4 devices, save, and resume from the file under another layout."""
    path = Path(folder) / f"{name}.{file}"
    keras.distribution.set_distribution(distribution("data_4"))
    model = compiled_model(name)
    fit(model, name, slice(0, STEPS // 2))
    model.save_weights(path) if file == "weights.h5" else model.save(path)
    keras.distribution.set_distribution(distribution("model_2x4"))
    if file == "weights.h5":
        model = compiled_model(name)
        model.load_weights(path)
    else:
        model = keras.saving.load_model(path)
    fit(model, name, slice(STEPS // 2, STEPS))
    return model


def main(results_path: str) -> None:
    results = Results()
    for layout, names in LAYOUTS.items():
        keras.distribution.set_distribution(distribution(layout))
        for name in names:
            model = compiled_model(name)
            fit(model, name)
            results.add(f"{layout}/{name}", weights(model))
            results.add(f"spread/{layout}/{name}", spread(model))
    with tempfile.TemporaryDirectory() as folder:
        for name in RESUMED:
            for file in ("weights.h5", "keras"):
                model = resume(name, file, folder)
                results.add(f"resumed/{file}/{name}", weights(model))
                results.add(f"spread/resumed/{file}/{name}", spread(model))
    results.save(results_path)


if __name__ == "__main__":
    main(sys.argv[1])
