"""Memory of one case in a separate process, printed as JSON. Run by `benchmarks.memory`.

python -m benchmarks.memory_probe --backend jax --case Adam --side ours
"""

import json
import re
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from benchmarks import backend, options, problem
from benchmarks.contenders import CASES, FLOAT32_BYTES, KERAS, OURS
from benchmarks.measure import WARM_UP_STEPS

# Written to `clear_refs`, this makes the kernel measure the peak from now on.
RESET_PEAK = "5"


def main() -> None:
    """Measure one case."""
    parser = options.parser("memory_probe", "Memory of one case.", rounds=3, modes=True)
    options.add_count(parser, "--size", 25_000_000, "elements of the matrix")
    parser.add_argument("--case", type=options.named(CASES, CASES.__getitem__), required=True)
    parser.add_argument("--side", choices=[KERAS, OURS], required=True)
    parser.add_argument("--slot-dtype", choices=["bfloat16", "float32"])
    chosen = parser.parse_args()
    shapes = [problem.matrix(chosen.size)]
    more = {"slot_dtype": chosen.slot_dtype} if chosen.slot_dtype else {}
    optimizer = chosen.case.make(chosen.side, chosen.mode, **more)
    variables, gradients = problem.variables(shapes), problem.gradients(shapes)
    optimizer.build(variables)
    state_bytes = sum(map(size_in_bytes, optimizer.variables))
    held = backend.held(gradients, chosen.mode)
    step = backend.Step(optimizer, variables, held, chosen.mode)
    step.run(WARM_UP_STEPS)
    weights = problem.elements(shapes)
    variable_bytes = FLOAT32_BYTES * weights
    compiled = backend.compiled(step)
    temporary = compiled.memory_analysis().temp_size_in_bytes if compiled else None
    found = {
        "state_bytes_per_weight": state_bytes / weights,
        "peak": max(extra_bytes(step) for _ in range(chosen.rounds)) / variable_bytes,
        "temporary": None if temporary is None else temporary / variable_bytes,
    }
    print(json.dumps(found))


def size_in_bytes(variable: Any) -> int:
    """Return the bytes of a variable's values."""
    dtype = ml_dtypes.bfloat16 if variable.dtype == "bfloat16" else variable.dtype
    return int(np.prod(variable.shape)) * np.dtype(dtype).itemsize


def extra_bytes(step: Any) -> int:
    """Return the peak bytes in use during a step, less those in use before it."""
    if backend.gpu():
        memory = backend.Memory()
        before = memory.used()
        step.run(1)
        return memory.peak() - before
    Path("/proc/self/clear_refs").write_text(RESET_PEAK)
    before = resident("VmRSS")
    step.run(1)
    return resident("VmHWM") - before


def resident(field: str) -> int:
    """Return a field of this process's status, in bytes."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)[1])


if __name__ == "__main__":
    main()
