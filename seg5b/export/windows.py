"""An order of time in windows: stretches of it whose rows fit in memory, one query each (docs/laws#stream-order).

Sorting all rows at once writes them to disk and reads them back before the first one leaves. A window is sorted in memory, and
the first is there after one look at the times of all rows; the price is such a look for every window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from seg5b.query import Database, identifier, literal

_SLOT: Final = timedelta(minutes=10)
"""Windows are cut between two of these: fine enough for a hundred million arrivals an hour, and few enough to count."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS_PER_GB: Final = 4_000_000
"""An arrival takes 150 to 200 bytes while it is sorted."""


@dataclass(frozen=True, slots=True)
class Window:
    """The ``rows`` rows for which ``condition``, SQL, holds."""

    condition: str
    rows: int


def rows_in(memory_limit_gb: float) -> int:
    """How many rows a window may have that is sorted in so much memory, 10^9 bytes."""
    return int(memory_limit_gb * _ROWS_PER_GB)


def time_windows(database: Database, key: str, where: Sequence[str], most_rows: int) -> list[Window]:
    """The rows of the view ``dataset`` for which ``where`` holds, cut by the column ``key`` (instants, or numbers of buckets),
    in its order, into windows of at most ``most_rows`` rows, or of one slot of time that has more. Rows without a key stand in
    the first. Raises as `Database.run`."""
    name = identifier(key)
    is_number = key == "bucket_index"
    slot = name if is_number else f"epoch_us({name}) // {_SLOT // timedelta(microseconds=1)}"
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    sql = f"SELECT {slot} AS slot, count(*) FROM dataset {condition} GROUP BY slot ORDER BY slot NULLS FIRST"
    counted = [(None if slot is None else int(slot), int(rows)) for slot, rows in database.rows(sql)]
    stretches = list(_stretches(counted, most_rows))
    found = []
    for place, (_, rows) in enumerate(stretches):
        bounds = []
        if place:
            bounds.append(f"{name} >= {_bound(stretches[place][0], is_number)}")
        if place + 1 < len(stretches):
            stop = f"{name} < {_bound(stretches[place + 1][0], is_number)}"
            bounds.append(stop if place or counted[0][0] is not None else f"({stop} OR {name} IS NULL)")
        found.append(Window(" AND ".join(bounds), rows))
    return found


def _stretches(counted: Sequence[tuple[int | None, int]], most_rows: int) -> Iterator[tuple[int | None, int]]:
    """First slot and rows of each window."""
    first: int | None = None
    held = 0
    for slot, rows in counted:
        if held and held + rows > most_rows:
            yield first, held
            held = 0
        if not held:
            first = slot
        held += rows
    if held:
        yield first, held


def _bound(slot: int | None, is_number: bool) -> str:
    assert slot is not None  # rows without a key stand in the first window, whose first slot bounds nothing
    return str(slot) if is_number else literal(_EPOCH + slot * _SLOT)
