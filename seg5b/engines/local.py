"""The local engine: threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from seg5b.engines.base import Item, Result
from seg5b.parallel import Pool


class LocalEngine:
    """Applies functions in ``threads`` threads; see `seg5b.engines.base.Engine`."""

    name = "local"
    remote = False

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def run(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        """As `Engine.run`; what is under way when one fails is waited for."""
        pool = Pool(self._threads, "seg5b-part")
        try:
            futures = {pool.submit(function, item): item for item in items}
            for future in pool.completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def describe(self) -> dict[str, str | int]:
        """Name and number of threads."""
        return {"engine": self.name, "threads": self._threads}
