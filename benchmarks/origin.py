"""What numbers were made with: machine, versions, commit."""

import datetime
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import backend
from keras_optlab.lab.versions import versions

ROOT = Path(__file__).parent.parent
# Releases and the README hold no code, so that a change of theirs makes no measurement doubtful.
CODE = ("keras_optlab", "benchmarks", ":!benchmarks/releases", ":!benchmarks/README.md")


def origin(command: str) -> dict[str, Any]:
    """Everything about a measurement but its numbers.

    Args:
        command: What was typed.
    """
    return {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
    }


def machine() -> dict[str, Any]:
    """Processor, cores, memory, and the accelerator if there is one."""
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
    """Whether fresh memory comes in pages of 2 MB: what a large buffer costs depends on it."""
    try:
        settings = Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()
    except OSError:
        return "unknown"
    # The one in use stands in brackets.
    return settings.partition("[")[2].partition("]")[0]


def processor() -> str:
    """The processor's name as the system has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def commit() -> str:
    """The commit, with `-dirty` if the code that runs is not what was committed."""
    try:
        head = git("rev-parse", "--short=10", "HEAD")
        changed = git("status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}-dirty" if changed else head


def git(*arguments: str) -> str:
    """What git prints."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
