"""Numbers, moments and durations as a person reads them; English whatever the locale says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from seg5b.tzdb import open_tzdb

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


def wall_clock(ts_us: int, offset_min: int = 0) -> datetime:
    """What a clock ``offset_min`` minutes east of UTC shows at an instant."""
    return _EPOCH + timedelta(microseconds=ts_us, minutes=offset_min)


def day(moment: datetime) -> str:
    """``Sunday 8 March 2026``."""
    return f"{_DAYS[moment.weekday()]} {moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def short_day(moment: datetime) -> str:
    """``Sun 8 Mar 2026``."""
    return f"{_DAYS[moment.weekday()][:3]} {moment.day} {_MONTHS[moment.month - 1][:3]} {moment.year}"


def minute(moment: datetime) -> str:
    """``03:05``."""
    return f"{moment.hour:02}:{moment.minute:02}"


def second(moment: datetime) -> str:
    """``03:05:29``."""
    return f"{minute(moment)}:{moment.second:02}"


def microsecond(moment: datetime) -> str:
    """``03:05:29.278663``."""
    return f"{second(moment)}.{moment.microsecond:06}"


def instant_text(ts_us: int) -> str:
    """``2026-03-08T07:05:29.278663Z``."""
    moment = wall_clock(ts_us)
    return f"{moment:%Y-%m-%d}T{microsecond(moment)}Z"


def offset(minutes: int) -> str:
    """``UTC-04:00``."""
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def duration(seconds: float) -> str:
    """The two largest units of a length of time, cut off: ``29 seconds``, ``5 minutes``, ``3 hours 5 minutes``, ``12 days``."""
    whole = int(abs(seconds))
    if whole < 60:
        return several(whole, "second")
    if whole < 3600:
        return several(whole // 60, "minute")
    if whole < 2 * 86_400:
        rest = whole % 3600 // 60
        return several(whole // 3600, "hour") + (f" {several(rest, 'minute')}" if rest else "")
    return several(whole // 86_400, "day")


def several(number: int, name: str) -> str:
    """``1 arrival``, ``2 arrivals``."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def ordinal(number: int) -> str:
    """``1st``, ``22nd``, ``113th``."""
    ending = "th" if number % 100 in (11, 12, 13) else _ENDINGS.get(number % 10, "th")
    return f"{number:,}{ending}"


def amount(value: float) -> str:
    """Four significant digits, without an exponent unless it is tiny."""
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def percent(share: float) -> str:
    """``20.2%``."""
    return "less than 0.1%" if 0 < share < 0.001 else f"{100 * share:.1f}%"


def distinct(values: Sequence[float], least: int = 5, most: int = 15) -> list[str]:
    """Numbers with as many decimals as tell unequal ones apart."""
    for decimals in range(least, most + 1):
        written = [f"{value:.{decimals}f}" for value in values]
        if len(set(written)) == len(set(values)):
            break
    return written


def listed(names: Iterable[str]) -> str:
    """``a, b and c``."""
    known = list(names)
    return f"{', '.join(known[:-1])} and {known[-1]}" if len(known) > 1 else "".join(known)


@cache
def country(code: str) -> str:
    """Short name of a country by its two letters (ISO 3166), the letters where it has none."""
    lines = (open_tzdb().read("iso3166.tab") or b"").decode().splitlines()
    return next((line[3:].strip() for line in lines if line.startswith(f"{code}\t")), code)
