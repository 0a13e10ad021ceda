"""Days and moments of a specification: texts that the schema has passed, as dates and times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from seg5b.errors import WorldError
from seg5b.world.spec.refusal import refusal

_FIRST_YEAR, _LAST_YEAR = 1975, 2037
"""Offsets of time zones are compiled to the end of 2037."""
FARTHEST_CLOCK: Final = timedelta(hours=14)
"""No clock differs more from UTC."""


def moment(text: str, key: str) -> datetime:
    """A naive time at a whole hour. Raises `WorldError` ``5B.WORLD.SPEC_INVALID``."""
    try:
        found = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError as cause:
        raise refusal(key, text, "is no day of the calendar", "write 2026-11-01 or 2026-11-01T06:00:00Z") from cause
    if found.minute or found.second:
        raise refusal(key, text, "is not at a whole hour", "begin and end at whole hours")
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise refusal(key, text, f"lies outside {_FIRST_YEAR}..{_LAST_YEAR}", "choose other years")
    return found


def day(text: str, key: str) -> date:
    """A day. Raises as `moment`."""
    return moment(text, key).date()


def days_between(first: date, stop: date) -> list[date]:
    """The days from ``first`` to before ``stop``, in order, of the years in which a specification may name days."""
    first, stop = max(first, date(_FIRST_YEAR, 1, 1)), min(stop, date(_LAST_YEAR + 1, 1, 1))
    return [first + timedelta(days=number) for number in range((stop - first).days)]


def days_shown(start: datetime, hours: int) -> list[date]:
    """The days that some clock may show in a horizon, in order, as `days_between`."""
    last = start + timedelta(hours=hours) + FARTHEST_CLOCK - timedelta(microseconds=1)
    return days_between((start - FARTHEST_CLOCK).date(), last.date() + timedelta(days=1))


def horizon(document: Mapping[str, Any]) -> tuple[datetime, int]:
    """Start (UTC) and hours. Raises `WorldError` ``5B.WORLD.SPEC_INVALID``."""
    stated = document["horizon"]
    start = moment(stated["start"], "horizon.start").replace(tzinfo=UTC)
    if ("days" in stated) == ("end" in stated):
        what = "has both days and end" if "days" in stated else "has neither days nor end"
        raise refusal("horizon", stated["start"], what, "state one of horizon.days and horizon.end")
    if "days" in stated:
        end = start + timedelta(days=stated["days"])
    else:
        end = moment(stated["end"], "horizon.end").replace(tzinfo=UTC)
    hours = int((end - start) / timedelta(hours=1))
    key = "horizon.days" if "days" in stated else "horizon.end"
    if hours < 24:
        raise refusal(key, stated[key[8:]], f"leaves {hours} hours", "a horizon has at least 24 hours")
    if end.year > _LAST_YEAR + 1 or (end.year == _LAST_YEAR + 1 and (end.month, end.day, end.hour) > (1, 1, 0)):
        raise refusal(key, stated[key[8:]], f"ends after {_LAST_YEAR}", "end by the first of January 2038")
    return start, hours


def spans(overlay: Mapping[str, Any], key: str) -> tuple[tuple[datetime, datetime], ...]:
    """First and end moments of an overlay, in its clock. Raises `WorldError` ``5B.WORLD.SPEC_INVALID``."""
    lengths = [name for name in ("days", "hours", "end") if name in overlay]
    if ("start" in overlay) == ("dates" in overlay):
        raise refusal(key, overlay["name"], "needs one of start and dates", "state one of them")
    if len(lengths) > 1:
        raise refusal(f"{key}.{lengths[1]}", overlay[lengths[1]], f"and {lengths[0]} both say how long", "state one")
    if "dates" in overlay:
        if "end" in overlay:
            raise refusal(f"{key}.end", overlay["end"], "goes with start, not with dates", "use days or hours")
        firsts = [datetime.combine(day(text, f"{key}.dates"), datetime.min.time()) for text in overlay["dates"]]
    else:
        firsts = [moment(overlay["start"], f"{key}.start")]
    if "end" in overlay:
        return (_until(firsts[0], moment(overlay["end"], f"{key}.end"), overlay, key),)
    length = timedelta(hours=overlay["hours"]) if "hours" in overlay else timedelta(days=overlay.get("days", 1))
    return tuple((first, first + length) for first in firsts)


def _until(first: datetime, end: datetime, overlay: Mapping[str, Any], key: str) -> tuple[datetime, datetime]:
    if end <= first:
        raise _backwards(key, overlay)
    return first, end


def _backwards(key: str, overlay: Mapping[str, Any]) -> WorldError:
    return refusal(f"{key}.end", overlay["end"], f"is not after the start {overlay['start']}", "end later")
