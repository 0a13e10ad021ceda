"""Offsets of a time zone from the TZif files (RFC 8536) of a database, extended by their POSIX footer."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from seg5b.errors import WorldError
from seg5b.tzdb import Tzdb

SENTINEL_S = -(2**63)
_EPOCH = date(1970, 1, 1)
_DAY_S = 86_400
_HEADER = struct.Struct(">4sc15x6l")
_NAME = r"(?:[A-Za-z]+|<[A-Za-z0-9+-]+>)"
_CLOCK = r"[+-]?\d+(?::\d+){0,2}"
_FOOTER = re.compile(
    rf"(?P<std>{_NAME})(?P<std_offset>{_CLOCK})"
    rf"(?:(?P<dst>{_NAME})(?P<dst_offset>{_CLOCK})?,(?P<start>[^,]+),(?P<end>[^,]+))?"
)
_MONTH_RULE = re.compile(rf"M(\d+)\.(\d+)\.(\d+)(?:/({_CLOCK}))?")


@dataclass(frozen=True, slots=True)
class Transition:
    """From ``instant_s`` (Unix seconds) on, local time is UTC + ``offset_s``."""

    instant_s: int
    offset_s: int


def read_zone(database: Tzdb, tzid: str, last_year: int) -> list[Transition]:
    """All offsets of a zone in ascending time: first the one before any transition (instant -2^63), then each change
    through the end of ``last_year``.

    Raises `WorldError` ``5B.WORLD.ZONE_UNREADABLE`` for an unknown zone or a file that is not TZif version 2 or later.
    """
    raw = database.zone(tzid)
    if raw is None:
        raise _unreadable(tzid, f"release {database.release} has no such zone")
    listed, footer = _parse(tzid, raw)
    cut_s = listed[-1].instant_s
    end_s = _epoch_s(date(last_year + 1, 1, 1))
    known = [item for item in listed if item.instant_s < end_s]
    return known + [item for item in _expand(tzid, footer, cut_s, last_year) if item.instant_s > cut_s]


def _unreadable(tzid: str, what: str) -> WorldError:
    return WorldError(
        "5B.WORLD.ZONE_UNREADABLE",
        f"{tzid}: {what}",
        where=tzid,
        remedy="choose another release of the time-zone database",
    )


def _parse(tzid: str, raw: bytes) -> tuple[list[Transition], str]:
    magic, version, *counts = _HEADER.unpack_from(raw)
    if magic != b"TZif" or version < b"2":
        raise _unreadable(tzid, f"not TZif version 2 or later ({magic!r}, version {version!r})")
    # The version 1 block repeats what the 64-bit block says; step over it.
    utc, std, leap, time, kind, text = counts
    start = _HEADER.size + time * 5 + kind * 6 + text + leap * 8 + std + utc
    _, _, utc, std, leap, time, kind, text = _HEADER.unpack_from(raw, start)
    at = start + _HEADER.size
    instants = struct.unpack_from(f">{time}q", raw, at)
    kinds = struct.unpack_from(f">{time}B", raw, at + 8 * time)
    at += 9 * time
    offsets = [struct.unpack_from(">lBB", raw, at + 6 * index)[0] for index in range(kind)]
    footer = raw[at + 6 * kind + text + leap * 12 + std + utc :].decode("ascii").strip("\n")
    first = Transition(SENTINEL_S, offsets[0])
    return [first, *map(Transition, instants, (offsets[index] for index in kinds))], footer


def _expand(tzid: str, footer: str, after_s: int, last_year: int) -> Iterator[Transition]:
    match = _FOOTER.fullmatch(footer)
    if match is None:
        raise _unreadable(tzid, f"footer {footer!r} is not understood")
    if match["dst"] is None:
        return
    # POSIX counts offsets west of Greenwich as positive.
    standard_s = -_clock_s(match["std_offset"])
    summer_s = -_clock_s(match["dst_offset"]) if match["dst_offset"] else standard_s + 3600
    first_year = 1970 if after_s == SENTINEL_S else (_EPOCH + timedelta(seconds=after_s)).year
    for year in range(first_year, last_year + 1):
        yield from sorted(
            (
                Transition(_rule_s(tzid, match["start"], year) - standard_s, summer_s),
                Transition(_rule_s(tzid, match["end"], year) - summer_s, standard_s),
            ),
            key=lambda item: item.instant_s,
        )


def _rule_s(tzid: str, rule: str, year: int) -> int:
    """Wall-clock seconds since 1970 of a rule ``Mm.w.d[/time]`` (week 5 = last) in a year."""
    match = _MONTH_RULE.fullmatch(rule)
    if match is None:
        raise _unreadable(tzid, f"rule {rule!r} is not of the form Mm.w.d")
    month, week, weekday = int(match[1]), int(match[2]), int(match[3])
    first = date(year, month, 1)
    day = 1 + (weekday - first.isoweekday() % 7) % 7 + 7 * (week - 1)
    following = date(year + month // 12, month % 12 + 1, 1)
    if day > (following - first).days:
        day -= 7
    return _epoch_s(date(year, month, day)) + (_clock_s(match[4]) if match[4] else 7200)


def _epoch_s(day: date) -> int:
    return (day - _EPOCH).days * _DAY_S


def _clock_s(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    hours, minutes, seconds = (*map(int, text.lstrip("+-").split(":")), 0, 0)[:3]
    return sign * (hours * 3600 + minutes * 60 + seconds)
