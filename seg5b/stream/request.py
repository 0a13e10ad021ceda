"""What may be asked of a stream."""

from __future__ import annotations

from dataclasses import dataclass

from seg5b.export.reading import VARYING


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """Which arrivals, from where on, in which form, how fast.

    ``scenario``: None for the only one that the run has. ``merchants``: none for all. ``where``: a condition in DuckDB's SQL
    over the columns. ``begin``: how many arrivals of the order are left out (an offset), or a moment, as ``until`` is one; the
    latter is not included. ``limit``: at most so many arrivals. ``columns`` and ``ids``: as of an export to JSON lines.
    ``cloudevents``: each arrival in the envelope of a CloudEvent. ``speed``: seconds of the world in a second of the clock,
    None for as fast as they are taken. ``rate``: at most so many arrivals a second, None for no such limit.
    """

    scenario: str | None = None
    merchants: tuple[int, ...] = ()
    where: str | None = None
    begin: int | str = 0
    until: str | None = None
    limit: int | None = None
    columns: tuple[str, ...] = (VARYING,)
    ids: str | None = None
    cloudevents: bool = False
    speed: float | None = None
    rate: float | None = None
