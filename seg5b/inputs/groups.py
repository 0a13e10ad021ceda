"""Tz-group weights: how a merchant's physical arrivals of a UTC day spread over zones. Law L7.tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from seg5b.errors import InputError, shown
from seg5b.inputs.alias_tables import AliasTables, build_tables, group_rows
from seg5b.tables.reading import Kind, numbers, read_columns, text

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class GroupTables:
    """One alias table per (merchant, epoch day), entries in byte order of the tzid; ``tzid`` [E] of each entry;
    ``by_day`` gives table numbers."""

    tables: AliasTables
    tzid: tuple[str, ...]
    by_day: dict[tuple[int, int], int]

    def zones(self, merchant_id: int, day: int) -> tuple[str, ...]:
        """Zones with a weight on that day; empty if the merchant has no table."""
        table = self.by_day.get((merchant_id, day))
        if table is None:
            return ()
        return self.tzid[self.tables.start[table] : self.tables.start[table + 1]]


def epoch_day(text_day: str, *, where: str, code: str) -> int:
    """Days since 1970-01-01 of ``YYYY-MM-DD``. Raises `InputError` ``code``."""
    try:
        if not _DAY.fullmatch(text_day):  # a week date has ten characters too
            raise ValueError
        return date.fromisoformat(text_day).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        raise InputError(
            code,
            f"utc_day {shown(text_day)} is no date YYYY-MM-DD",
            where=where,
            remedy="restore the file that 2B wrote",
        ) from None


def read_groups(files: Sequence[Path], *, code: str) -> GroupTables:
    """Read ``s4_group_weights``. Raises `InputError` ``code``: unreadable, a bad date, a key twice, bad weights."""
    where = str(files[0])
    kinds = {"merchant_id": Kind.ID, "utc_day": Kind.TEXT, "tz_group_id": Kind.TEXT, "p_group": Kind.NUMBER}
    columns = read_columns(files, kinds, code=code)
    day_text, zone = text(columns, "utc_day"), text(columns, "tz_group_id")
    day_of = np.array([epoch_day(value, where=where, code=code) for value in day_text.values], np.int64)
    rank = {value: position for position, value in enumerate(sorted(zone.values, key=str.encode))}
    zone_rank = np.array([rank[value] for value in zone.values], np.int64)[zone.codes]
    merchant, day = numbers(columns, "merchant_id"), day_of[day_text.codes]
    order = np.lexsort((zone_rank, day, merchant))
    merchant, day, codes = merchant[order], day[order], zone.codes[order]
    repeated = (merchant[1:] == merchant[:-1]) & (day[1:] == day[:-1]) & (codes[1:] == codes[:-1])
    if repeated.any():
        at = int(np.flatnonzero(repeated)[0])
        what = f"merchant {merchant[at]} has zone {zone.values[codes[at]]} twice on epoch day {day[at]}"
        raise InputError(code, what, where=where, remedy="restore the file that 2B wrote")
    start, owners = group_rows(list(zip(merchant.tolist(), day.tolist(), strict=True)))
    names = [f"merchant {owner}, epoch day {on}" for owner, on in owners]
    tables = build_tables(numbers(columns, "p_group")[order], start, names=names, code=code, where=where)
    return GroupTables(tables, tuple(zone.values[code] for code in codes), {key: t for t, key in enumerate(owners)})
