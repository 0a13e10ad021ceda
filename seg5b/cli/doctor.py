"""`seg5b doctor`: what this machine offers, and what would be chosen."""

from __future__ import annotations

import importlib.metadata
import os
import platform

import click

from seg5b.cli.common import CommandOutput, json_option, reporting, stdout

PACKAGES = ("numba", "numpy", "pyarrow", "duckdb", "tzdata")


@click.command()
@json_option
@reporting
def doctor() -> CommandOutput:
    """Show processor, packages, CUDA driver and devices; which backend `--backend auto` would choose and which Parquet
    reader goes with it, each with the reason.

    Example: seg5b doctor
    """
    from seg5b.backends.choose import choose_backend, cuda_facts
    from seg5b.frames import frames_for

    cuda = cuda_facts()
    versions = {**{name: _version(name) for name in PACKAGES}, **cuda["packages"]}
    backend = choose_backend("auto")
    chosen, frames = backend.describe(), frames_for(backend)
    payload = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)),
        "packages": versions,
        "cuda": {name: fact for name, fact in cuda.items() if name != "packages"},
        "chosen": chosen,
        "frames": {"name": frames.name, "reason": frames.reason},
    }

    def show() -> None:
        stdout.print(f"python {payload['python']} on {payload['system']}, {payload['cpus']} CPUs")
        for name, version in versions.items():
            stdout.print(f"  {name:<16} {version or 'not installed'}")
        stdout.print(f"CUDA driver: {cuda['driver'] or 'none'}")
        for device in cuda["devices"]:
            free, total = device["memory_free_bytes"] / 1e9, device["memory_bytes"] / 1e9
            capability = device["compute_capability"]
            stdout.print(
                f"  device {device['number']}: {device['name']}, sm_{capability}, {free:.1f} of {total:.1f} GB free"
            )
        stdout.print(f"--backend auto takes {chosen['backend']}: {chosen['reason']}", soft_wrap=True)
        stdout.print(f"columns are read by {frames.name}: {frames.reason}", soft_wrap=True)

    return payload, show


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
