"""What it costs to have a worker of a Dask cluster do nothing: milliseconds an item, the workers' start left out.

python bench/sharing.py [ITEMS]
"""

from __future__ import annotations

import json
import sys
import time

from seg5b.engines import open_engine
from seg5b.options import EngineOptions


def nothing(item: int) -> int:
    """An item that takes no time."""
    return item


def main(items: int = 500) -> None:
    with open_engine(EngineOptions("dask", workers=2), threads=1) as engine:
        list(engine.run(nothing, range(10)))  # imports
        begun = time.perf_counter()
        done = sum(1 for _ in engine.run(nothing, range(items)))
        json.dump({"items": done, "item_ms": 1000 * (time.perf_counter() - begun) / done}, sys.stdout)
        print()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
