"""Memory bandwidth: x += y over arrays too large for any cache, by the fastest means available."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from benchmarks import backend
from benchmarks.measure import Runner, batch

LEAST_ARRAY_BYTES = 128 * 2**20
TIMES_CACHE = 4
TRIAL_SECONDS = 0.2
# x is read and written, y read.
PASSES = 3


@final
@dataclass(frozen=True)
class Stream:
    """A pass over memory.

    Args:
        name: What performs it.
        moved: Bytes that one run reads and writes.
        run: Runs it a given number of times.
    """

    name: str
    moved: int
    run: Runner


def fastest() -> Stream:
    """Return the stream with the highest bandwidth; the arrays of the others are freed."""
    best, best_seconds = None, float("inf")
    for stream in streams():
        seconds = min(batch(stream.run, TRIAL_SECONDS)() for _ in range(3))
        if seconds < best_seconds:
            best, best_seconds = stream, seconds
    return best


def streams() -> Iterator[Stream]:
    """Yield the backend's x += y and, on a CPU, NumPy's with one thread per core."""
    size = max(LEAST_ARRAY_BYTES, TIMES_CACHE * cache_bytes()) // 4
    yield Stream(backend.STREAM_NAME, PASSES * 4 * size, backend.stream(size))
    if not backend.gpu():
        yield Stream("NumPy in threads", PASSES * 4 * size, numpy_stream(size))


def numpy_stream(size: int) -> Runner:
    """Return an in-place x += y, split into equal parts with one thread each."""
    threads = os.cpu_count() or 1
    parts = [
        (np.ones(size // threads, np.float32), np.ones(size // threads, np.float32))
        for _ in range(threads)
    ]
    pool = ThreadPoolExecutor(threads)

    def run(repeats: int) -> None:
        for _ in range(repeats):
            list(pool.map(lambda part: np.add(*part, out=part[0]), parts))

    return run


def cache_bytes() -> int:
    """Return the size of the last-level cache, or 0 if the system does not report it."""
    try:
        text = Path("/sys/devices/system/cpu/cpu0/cache/index3/size").read_text().strip()
    except OSError:
        return 0
    return int(text.rstrip("KM")) * {"K": 2**10, "M": 2**20}.get(text[-1], 1)
