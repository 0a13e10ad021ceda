"""Two hosts, each a network namespace with its own address, and a folder that both see: the scheduler and the client on
one, the workers on the other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from tests.worlds import copy_run

SCHEDULER, WORKERS = "10.231.7.1", "10.231.7.2"
PORT = 8786
PYTHON = [sys.executable, "-m"]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def hosts() -> Iterator[tuple[list[str], list[str]]]:
    """What to put before a command to run it on either host."""
    mark = uuid.uuid4().hex[:6]
    names = [f"seg5b-{mark}-{side}" for side in "ab"]
    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", f"a{mark}", "netns", names[0], "type", "veth", "peer", "name", f"b{mark}", "netns", names[1])
        for name, link, address in zip(names, (f"a{mark}", f"b{mark}"), (SCHEDULER, WORKERS), strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", link)
            ip("-n", name, "link", "set", link, "up")
            ip("-n", name, "link", "set", "lo", "up")
        first, second = (["ip", "netns", "exec", name] for name in names)
        yield first, second
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.fixture
def two_hosts() -> Iterator[tuple[list[str], list[str]]]:
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("network namespaces need root and the program ip")
    try:
        with hosts() as found:
            yield found
    except subprocess.CalledProcessError as cause:
        pytest.skip(f"network namespaces cannot be made here: {cause.stderr.decode().strip()}")


def test_workers_of_another_host_make_the_same_bytes(
    two_hosts: tuple[list[str], list[str]], tiny_world: Path, tmp_path: Path, tiny_digests: dict[str, str]
) -> None:
    here, there = two_hosts
    root, address = copy_run(tiny_world, tmp_path), f"tcp://{SCHEDULER}:{PORT}"
    scheduler = [*here, *PYTHON, "dask", "scheduler", "--host", SCHEDULER, "--port", str(PORT), "--no-dashboard"]
    worker = [*there, *PYTHON, "dask", "worker", address, "--host", WORKERS, "--nthreads", "1", "--nworkers", "2"]
    run = [*here, *PYTHON, "seg5b", "run", "--to", "S4", "--runs-root", str(root.path.parent)]
    with (tmp_path / "log").open("wb") as log:
        programs = [
            subprocess.Popen(command, stdout=log, stderr=log) for command in (scheduler, [*worker, "--no-dashboard"])
        ]
        try:
            done = subprocess.run(
                [*run, "--engine", "dask", "--scheduler", address], capture_output=True, text=True, check=False
            )
        finally:
            for program in reversed(programs):
                program.terminate()
                program.wait(60)
    assert done.returncode == 0, done.stderr
    assert dataset_digests(root, ContractSource.packaged()) == tiny_digests
    assert WORKERS in (tmp_path / "log").read_text()
