"""The origin of measurements, in words."""

from typing import Any


def describe(origin: dict[str, Any]) -> str:
    """Return the machine, versions and commit in one line."""
    machine, versions = origin["machine"], origin["versions"]
    backend = versions["backend"]
    hardware = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB"
    if machine["gpu"]:
        hardware += f", {machine['gpu']}"
    named = ("python", "keras", backend, "numpy", "keras-optlab")
    software = ", ".join(f"{name} {versions[name]}" for name in named)
    return f"{hardware}; {software}; commit {origin['commit']}; {origin['date']}."
