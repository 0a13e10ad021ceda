"""seg5b realises the arrivals of a sealed card-payment world.

>>> import seg5b
>>> opened = seg5b.open_run("runs")  # doctest: +SKIP
>>> opened.table("arrival_events_5B", "baseline_v1").num_rows  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seg5b._version import __version__

if TYPE_CHECKING:
    from seg5b.api import Run, open_run, run

__all__ = ["Run", "__version__", "open_run", "run"]


def __getattr__(name: str) -> Any:
    """Load the interface on first use: ``import seg5b`` and the command line's help stay fast."""
    if name in ("Run", "open_run", "run"):
        from seg5b import api

        return getattr(api, name)
    raise AttributeError(f"module 'seg5b' has no attribute {name!r}")
