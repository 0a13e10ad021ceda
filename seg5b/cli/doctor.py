"""`seg5b doctor`: what this machine offers, and what would be chosen."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Callable, Mapping
from typing import Any

import click

from seg5b.cli.common import json_option, reporting, stdout

PACKAGES = (
    "numba",
    "numpy",
    "pyarrow",
    "duckdb",
    "tzdata",
    "numba-cuda",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "cudf-cu12",
    "cudf-cu13",
)


@click.command()
@json_option
@reporting
def doctor() -> tuple[Mapping[str, Any], Callable[[], None]]:
    """Tell processor, packages, and which backend `--backend auto` would choose, and why.

    Example: seg5b doctor
    """
    from seg5b.backends.choose import choose_backend

    versions = {name: _version(name) for name in PACKAGES}
    chosen = choose_backend("auto").describe()
    payload = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)),
        "packages": versions,
        "chosen": chosen,
    }

    def show() -> None:
        stdout.print(f"python {payload['python']} on {payload['system']}, {payload['cpus']} CPUs")
        for name, version in versions.items():
            stdout.print(f"  {name:<14} {version or 'not installed'}")
        stdout.print(f"backend auto would take {chosen['backend']}: {chosen['reason']}", soft_wrap=True)

    return payload, show


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
