"""What may be asked of an export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from seg5b.errors import InputError

ORDERS = ("merchant", "time")


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Which rows and columns of which dataset, in which form, to where.

    ``out``: file or folder, ``-`` for stdout, ``s3://bucket/key``, ``iceberg://catalog/namespace/table``. ``dataset``: id of
    the 5B dictionary, with or without ``_5B``. ``scenarios``: none for the first, ``all`` for each. ``merchants``: none for
    all. ``since`` and ``until``: instants as `instant` reads them, half-open. ``where``: a condition in DuckDB's SQL over the
    columns. ``columns``: none for all, or names in order; ``varying`` stands for those that do not only say which run it is.
    ``limit``: at most so many rows. ``order``: ``merchant``, as published, or ``time``. ``format``: one of `formats.Format`;
    None to go by the name of the target. ``compression``: None for the usual one. ``partition_by``: columns, ``day`` or
    ``month`` (UTC), each value of which gets a folder. ``ids``: see `formats.IDS`; None for the usual form. ``overwrite``:
    replace what an earlier export left there.
    """

    out: str | Path
    dataset: str = "arrival_events_5B"
    scenarios: tuple[str, ...] = ()
    merchants: tuple[int, ...] = ()
    since: str | None = None
    until: str | None = None
    where: str | None = None
    columns: tuple[str, ...] = ()
    limit: int | None = None
    order: str = "merchant"
    format: str | None = None
    compression: str | None = None
    partition_by: tuple[str, ...] = ()
    ids: str | None = None
    overwrite: bool = False


def instant(text: str) -> datetime:
    """A date (its first moment in UTC) or an RFC 3339 moment with ``Z`` or an offset, as UTC. Raises `InputError`
    ``5B.EXPORT.MOMENT_UNCLEAR``."""
    remedy = "write 2026-03-01 for its first moment in UTC, 2026-03-01T12:00:00Z, or 2026-03-01T12:00:00+01:00"
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            day = date.fromisoformat(text)  # a date and nothing else
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError("5B.EXPORT.MOMENT_UNCLEAR", f"{text!r} is no moment", remedy=remedy) from None
