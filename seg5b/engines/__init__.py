"""Where parts are made: threads of this process, or the workers of a Dask cluster (law L14)."""

from seg5b.engines.base import Engine
from seg5b.engines.choose import open_engine
from seg5b.engines.devices import parse_devices
from seg5b.engines.local import LocalEngine

__all__ = ["Engine", "LocalEngine", "open_engine", "parse_devices"]
