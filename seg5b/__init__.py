"""seg5b realises the arrivals of a sealed card-payment world.

``seg5b.open_run("runs").table("arrival_events_5B", "baseline_v1")`` reads a dataset of a run, ``seg5b.run`` makes one, and
``seg5b.World`` makes the world that it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seg5b._version import __version__

if TYPE_CHECKING:
    from seg5b.api import Run, open_run, run
    from seg5b.world.own import World

__all__ = ["Run", "World", "__version__", "open_run", "run"]


def __getattr__(name: str) -> Any:
    """Load the interface on first use: ``import seg5b`` and the command line's help stay fast."""
    if name in ("Run", "open_run", "run"):
        from seg5b import api

        return getattr(api, name)
    if name == "World":
        from seg5b.world.own import World

        return World
    raise AttributeError(f"module 'seg5b' has no attribute {name!r}")
