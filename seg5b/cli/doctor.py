"""`seg5b doctor`: what this machine offers, and what would be chosen."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import tempfile
from pathlib import Path
from typing import Any

import click

from seg5b._version import __version__
from seg5b.cli.common import CommandOutput, json_option, reporting, runs_root_option
from seg5b.cli.terminal import stdout

PACKAGES = ("numba", "numpy", "pyarrow", "duckdb", "tzdata")


@click.command()
@runs_root_option
@click.option(
    "--device",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Number of the CUDA device that is asked about.",
)
@json_option
@reporting
def doctor(runs_root: Path | None, device: int) -> CommandOutput:
    """Show version, processor, memory, limits, disks, the cache of compiled loops, packages, CUDA driver and devices; which
    backend `--backend auto` would choose and which Parquet reader goes with it, each with the reason. Packages for CUDA that
    are broken, too old, or made for different versions of CUDA are named, on a machine without a device too.

    Example: seg5b doctor
    """
    from seg5b.backends import packages
    from seg5b.backends.choose import choose_backend, cuda_facts
    from seg5b.frames import frames_for
    from seg5b.runs.root import default_runs_root

    cuda = cuda_facts(device)
    versions = {**{name: packages.version(name) for name in PACKAGES}, **cuda["packages"]}
    backend = choose_backend("auto", device=device)
    chosen, frames = backend.describe(), frames_for(backend)
    machine = _machine(runs_root or default_runs_root())
    payload = {
        "version": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)),
        **machine,
        "packages": versions,
        "cuda": {name: fact for name, fact in cuda.items() if name != "packages"},
        "chosen": chosen,
        "frames": {"name": frames.name, "reason": frames.reason},
    }

    def show() -> None:
        stdout.print(f"seg5b {__version__}, python {payload['python']} on {payload['system']}, {payload['cpus']} CPUs")
        memory, limits, cache = machine["memory"], machine["limits"], machine["cache"]
        stdout.print(f"memory: {memory['available_bytes'] / 1e9:.1f} of {memory['total_bytes'] / 1e9:.1f} GB available")
        space = limits["address_space_bytes"]
        told = "address space not limited" if space is None else f"address space limited to {space / 1e9:.1f} GB"
        stdout.print(f"limits: {told}, {limits['open_files']:,} open files")
        for disk in machine["disks"]:
            free, total = disk["free_bytes"] / 1e9, disk["total_bytes"] / 1e9
            stdout.print(f"disk of {disk['of']}, {disk['path']}: {free:.1f} of {total:.1f} GB free", soft_wrap=True)
        stdout.print(
            f"compiled loops are kept in {cache['path']}: {cache['files']:,} files, {cache['bytes'] / 1e6:.1f} MB",
            soft_wrap=True,
        )
        for name, version in versions.items():
            stdout.print(f"  {name:<16} {version or 'not installed'}")
        _show_cuda(cuda)
        stdout.print(f"--backend auto takes {chosen['backend']}: {chosen['reason']}", soft_wrap=True)
        stdout.print(f"columns are read by {frames.name}: {frames.reason}", soft_wrap=True)

    return payload, show


def _show_cuda(cuda: dict[str, Any]) -> None:
    for trouble in cuda["troubles"].values():
        stdout.print(f"CUDA packages: {trouble}", soft_wrap=True)
    visible = "" if cuda["visible"] is None else f", CUDA_VISIBLE_DEVICES={cuda['visible']}"
    stdout.print(f"CUDA driver: {'none' if cuda['driver'] is None else 'for CUDA ' + cuda['driver']}{visible}")
    for there in cuda["devices"]:
        capability, memory = there["compute_capability"], there["memory_bytes"] / 1e9
        stdout.print(f"  device {there['number']}: {there['name']}, sm_{capability}, {memory:.1f} GB")


def _machine(runs_root: Path) -> dict[str, Any]:
    """Memory, limits of this process, disks and cache, in bytes."""
    from seg5b_compiled import cache_folder

    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    space = resource.getrlimit(resource.RLIMIT_AS)[0]
    cache = cache_folder("kernels").parent
    kept = [path.stat().st_size for path in cache.rglob("*") if path.is_file()]
    return {
        "memory": {"available_bytes": kib["MemAvailable"] << 10, "total_bytes": kib["MemTotal"] << 10},
        "limits": {
            "address_space_bytes": None if space < 0 else space,
            "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        },
        "disks": [_disk("runs", runs_root), _disk("scratch", Path(tempfile.gettempdir()))],
        "cache": {"path": str(cache), "files": len(kept), "bytes": sum(kept)},
    }


def _disk(of: str, folder: Path) -> dict[str, Any]:
    """Room on the disk on which ``folder`` lies, or would."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    usage = shutil.disk_usage(there)
    return {"of": of, "path": str(folder), "free_bytes": usage.free, "total_bytes": usage.total}
