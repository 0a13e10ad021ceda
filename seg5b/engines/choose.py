"""From names on a command line to an engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from seg5b.engines.base import Engine
from seg5b.engines.devices import visible_devices
from seg5b.engines.local import LocalEngine
from seg5b.errors import EngineError
from seg5b.options import ENGINES, EngineOptions


@contextmanager
def open_engine(options: EngineOptions, *, threads: int) -> Iterator[Engine]:
    """The engine that was asked for, closed behind the caller; ``threads`` are those of the local one, and of
    all workers that have a device.

    Raises `EngineError`: ``5B.ENGINE.UNKNOWN``, ``5B.ENGINE.UNAVAILABLE`` (nothing installed, no scheduler there), and for
    devices as `seg5b.engines.devices.visible_devices`.
    """
    if options.devices and (options.name != "dask" or options.scheduler):
        what, remedy = "devices are those of Dask workers on this machine", "use --engine dask, without a scheduler"
        raise EngineError("5B.ENGINE.DEVICES_INVALID", what, where="--devices", remedy=remedy)
    if options.name == "local":
        yield LocalEngine(threads)
        return
    if options.name != "dask":
        what, remedy = f"{options.name!r} is no engine", f"use one of {', '.join(ENGINES)}"
        raise EngineError("5B.ENGINE.UNKNOWN", what, where="--engine", remedy=remedy)
    try:
        from seg5b.engines.dask import dask_engine
    except ImportError as cause:
        what, remedy = f"dask.distributed is not installed ({cause})", "install seg5b[dask], or use --engine local"
        if options.devices:
            remedy = "install seg5b[dask], or use one device of this process: --device"
        where = "--devices" if options.devices else "--engine dask"
        raise EngineError("5B.ENGINE.UNAVAILABLE", what, where=where, remedy=remedy) from cause
    seen = visible_devices(options.devices, cuda=options.workers_backend != "cpu") if options.devices else ()
    with dask_engine(replace(options, devices=seen), threads=threads) as engine:
        yield engine
