"""The Dask engine: workers of dask.distributed, on this machine or any that see the run folder (law L14).

Scheduling, shipping, retries and the life of workers are dask.distributed's own. What is kept of a run lies in the run
folder, so whoever is lost, worker, scheduler or client, what was finished stays finished.
"""

from __future__ import annotations

import platform
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager

from distributed import Client, LocalCluster, Nanny, Scheduler, SpecCluster, as_completed
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker
from distributed.system import MEMORY_LIMIT

from seg5b.engines.base import Item, Result
from seg5b.errors import EngineError, Seg5bError
from seg5b.options import EngineOptions
from seg5b.refusals import refused, typed
from seg5b.resources import code_versions

_CONNECT_S = 30


@contextmanager
def dask_engine(options: EngineOptions, *, threads: int) -> Iterator[DaskEngine]:
    """An engine on the scheduler at ``options.scheduler``, else on a cluster of its own: a process for each of
    ``options.devices``, which sees no other and has its share of ``threads``, else ``options.workers`` processes.

    Raises `EngineError` ``5B.ENGINE.UNAVAILABLE`` where no scheduler answers.
    """
    if options.scheduler is None:
        with _cluster(options, threads) as cluster, Client(cluster) as client:
            yield DaskEngine(client, options.devices)
        return
    try:
        client = Client(options.scheduler, timeout=_CONNECT_S)
    except (TimeoutError, OSError, ValueError) as cause:
        raise EngineError(
            "5B.ENGINE.UNAVAILABLE",
            f"no scheduler answers: {str(cause).splitlines()[0] if str(cause) else type(cause).__name__}",
            where=options.scheduler,
            remedy="start one with `dask scheduler`, and workers with `dask worker`",
        ) from cause
    with client:
        yield DaskEngine(client)


def _cluster(options: EngineOptions, threads: int) -> SpecCluster:
    """Processes of this machine. On the CPU one thread a worker: a part is made by one thread, and a worker that dies takes one
    part with it. A worker with a device has its share of the threads: while one part is encoded, the device computes others.

    Devices are given to workers by dask.distributed's own nannies, which set the environment before anything is imported, and
    again for a worker that they replace. dask-cuda's cluster does the same and more (pools of rmm, spilling, UCX): all of it
    is for data that Dask moves between workers, and here only names of parts and digests are moved.
    """
    if not options.devices:
        return LocalCluster(n_workers=options.workers, threads_per_worker=1, processes=True, dashboard_address=None)
    here = {"host": "127.0.0.1", "dashboard": False}
    workers = len(options.devices)
    share = {**here, "nthreads": max(threads // workers, 1), "memory_limit": MEMORY_LIMIT // workers}
    seen = {each: {"env": {"CUDA_VISIBLE_DEVICES": each}} for each in options.devices}
    return SpecCluster(
        scheduler={"cls": Scheduler, "options": {**here, "port": 0}},
        workers={name: {"cls": Nanny, "options": {**share, **environment}} for name, environment in seen.items()},
    )


class DaskEngine:
    """Applies functions on the workers of a scheduler; see `seg5b.engines.base.Engine`."""

    name = "dask"
    remote = True

    def __init__(self, client: Client, devices: Sequence[str] = ()) -> None:
        self._client, self._devices = client, devices

    def run(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        """As `Engine.run`. An item whose worker is lost is given to another one.

        Raises `EngineError`: ``5B.ENGINE.WORKER_DIFFERS`` where a worker has other code or packages,
        ``5B.ENGINE.WORKERS_LOST`` for an item that several workers died of, ``5B.ENGINE.SCHEDULER_LOST``,
        ``5B.ENGINE.WORKER_FAILED`` for anything that is not typed.
        """
        call, versions = uuid.uuid4().hex, code_versions()
        futures = {
            self._client.submit(_applied, versions, function, item, key=f"seg5b-{call}-{number}", pure=False): item
            for number, item in enumerate(items)
        }
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except Seg5bError:
            raise
        except KilledWorker as cause:
            what, remedy = f"workers end while they make a part: {cause}", "give workers more memory, then run again"
            raise EngineError("5B.ENGINE.WORKERS_LOST", what, where=self._where, remedy=remedy) from cause
        except (CancelledError, CommClosedError) as cause:
            what = f"the scheduler is lost ({type(cause).__name__})"
            remedy = "start it again and run again: what was finished is kept"
            raise EngineError("5B.ENGINE.SCHEDULER_LOST", what, where=self._where, remedy=remedy) from cause
        except Exception as cause:
            what, remedy = f"a worker failed: {type(cause).__name__}: {cause}", "look at the worker's log"
            raise EngineError("5B.ENGINE.WORKER_FAILED", what, where=self._where, remedy=remedy) from cause
        finally:
            self._client.cancel(list(futures))

    @property
    def _where(self) -> str:
        return str(self._client.scheduler.address)

    def describe(self) -> dict[str, str | int]:
        """Name, the scheduler's address, how many workers it has now, and the devices of workers that have one each."""
        workers = len(self._client.scheduler_info(n_workers=-1)["workers"])
        devices = {"devices": ",".join(self._devices)} if self._devices else {}
        return {"engine": self.name, "scheduler": self._where, "workers": workers, **devices}


def _applied(versions: Mapping[str, str], function: Callable[[Item], Result], item: Item) -> Result:
    """``function(item)`` on a worker, if code and packages there are those of the process that asks; what the system refuses
    it fails typed, as `seg5b.refusals.typed`."""
    here = code_versions()
    differing = [name for name in {**versions, **here} if here.get(name) != versions.get(name)]
    if differing:
        told = ", ".join(f"{name} {here.get(name)} instead of {versions.get(name)}" for name in differing)
        raise EngineError(
            "5B.ENGINE.WORKER_DIFFERS",
            f"a worker refuses: it has {told}",
            where=platform.node(),
            remedy="install the same code and packages on all workers, and start them again",
        )
    try:
        return function(item)
    except (OSError, MemoryError, RuntimeError) as cause:
        if refused(cause):
            raise typed(cause, "ENGINE", platform.node()) from cause
        raise
