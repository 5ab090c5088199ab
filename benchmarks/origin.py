"""The origin of measurements: machine, versions, commit."""

import datetime
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import backend
from keras_optlab.lab.versions import versions

ROOT = Path(__file__).parent.parent
# Releases and the README hold no code, so changing them invalidates no measurement.
CODE = ("keras_optlab", "benchmarks", ":!benchmarks/releases", ":!benchmarks/README.md")


def origin(command: str) -> dict[str, Any]:
    """Return everything about a measurement except its numbers.

    Args:
        command: The command line that was typed.
    """
    return {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
    }


def machine() -> dict[str, Any]:
    """Return the processor, cores, memory, and the accelerator if there is one."""
    return {
        "cpu": processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "gpu": backend.gpu(),
        "huge_pages": huge_pages(),
    }


def huge_pages() -> str:
    """Return the setting for 2 MB pages, on which the cost of fresh large buffers depends."""
    try:
        settings = Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()
    except OSError:
        return "unknown"
    # The setting in use is in brackets.
    return settings.partition("[")[2].partition("]")[0]


def processor() -> str:
    """Return the processor's name as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def commit() -> str:
    """Return the commit, with `-dirty` if the running code differs from it."""
    try:
        head = git("rev-parse", "--short=10", "HEAD")
        changed = git("status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}-dirty" if changed else head


def git(*arguments: str) -> str:
    """Run git, and return what it prints."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
