"""What would show that instants and routes are not drawn freely: sums whose law is known (docs/laws#law-tests).

Of each merchant's stretch of a file: arrivals at the very instant of the one before; instants by last digit of second,
millisecond and microsecond, and by sixteenth of their bucket. Of each site among the arrivals of its zone, of each edge among
the virtual ones, and of the flag itself among all: places in the order of time, arrivals that follow one of their own kind, and
microseconds since the bucket began. Sites are drawn freely within a zone, so that none of these can tell one from another.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seg5b.part_scan._compiled import inlined
from seg5b.part_scan.arrivals import columns as c
from seg5b.part_scan.counting import longer

SIXTEENTHS, FINE = 16, 64
"""Equal stretches of a bucket: by merchant, and by hour of the day."""
TIES, DIGITS, PLACES = 0, 1, 31
"""Where a merchant's numbers begin: ties; three times ten digits; sixteenths."""
_WIDTH = PLACES + SIXTEENTHS
FLAGS, VIRTUAL, VIRTUAL_RANKS, FLAG_REPEATS, VIRTUAL_OFFSETS = range(5)
RANKS, REPEATS, INSIDE = range(3)
_HOUR_US = 3_600_000_000
_NONE = -1


class Kinds(NamedTuple):
    """Sites or edges by place in their list of `Counts`. ``sums`` int64 [room, 3]: sum of ranks among the arrivals of their
    zone (from 1, in order of time), arrivals that follow one of the same kind, microseconds since the bucket began; ``zone``
    int64 [room]: place of the zone in ``zones`` int64 [room, 3]: code, arrivals so far, last kind. ``state`` int64 [2]: first
    zone of this stretch, zones in use."""

    sums: np.ndarray
    zone: np.ndarray
    zones: np.ndarray
    state: np.ndarray


class Habits(NamedTuple):
    """``merchants`` int64 [room, 47] by stretch, see `TIES`; ``flags`` int64 [room, 5] by stretch: arrivals with a flag
    and an instant, virtual ones, the sum of their ranks, arrivals whose flag is that of the one before, and microseconds since
    the bucket began of virtual ones; ``hours`` int64 [24, 64] instants by hour of the day (UTC) and 64th of a bucket; ``last``
    int64 [2]: instant and flag before, -1 for none; ``sites``, ``edges``."""

    merchants: np.ndarray
    flags: np.ndarray
    hours: np.ndarray
    last: np.ndarray
    sites: Kinds
    edges: Kinds


def empty_habits() -> Habits:
    """Nothing seen yet."""
    sites, edges = (
        Kinds(np.empty((0, 3), np.int64), np.empty(0, np.int64), np.empty((0, 3), np.int64), np.zeros(2, np.int64))
        for _ in range(2)
    )
    last = np.full(2, _NONE, np.int64)
    return Habits(
        np.empty((0, _WIDTH), np.int64), np.empty((0, 5), np.int64), np.zeros((24, FINE), np.int64), last, sites, edges
    )


def longer_habits(habits: Habits, stretches: int, rows: int, sites: int, edges: int) -> Habits:
    """The same with room for ``rows`` more stretches behind the ``stretches`` in use, and for as many ``sites`` and ``edges``
    as their lists can hold."""
    return habits._replace(
        merchants=longer(habits.merchants, stretches, rows),
        flags=longer(habits.flags, stretches, rows),
        sites=_longer(habits.sites, sites, rows),
        edges=_longer(habits.edges, edges, rows),
    )


def _longer(kinds: Kinds, capacity: int, rows: int) -> Kinds:
    held = len(kinds.zone)
    more = max(capacity - held, 0)
    return kinds._replace(
        sums=longer(kinds.sums, held, more) if more else kinds.sums,
        zone=longer(kinds.zone, held, more) if more else kinds.zone,
        zones=longer(kinds.zones, int(kinds.state[1]), rows),
    )


@inlined
def begin_stretch(habits, at):
    """The merchant's stretch ``at`` begins."""
    habits.merchants[at, :] = 0
    habits.flags[at, :] = 0
    habits.last[0], habits.last[1] = _NONE, _NONE
    habits.sites.state[0] = habits.sites.state[1]
    habits.edges.state[0] = habits.edges.state[1]


@inlined
def add_instant(habits, at, rows, i, inside, limits):
    """The instant of row ``i``, ``inside`` its bucket: digits, place, tie; and its flag."""
    instant, own = rows.utc[i], habits.merchants
    if habits.last[0] == instant:
        own[at, TIES] += 1
    habits.last[0] = instant
    own[at, DIGITS + instant // 1_000_000 % 10] += 1
    own[at, DIGITS + 10 + instant // 1000 % 10] += 1
    own[at, DIGITS + 20 + instant % 10] += 1
    own[at, PLACES + inside * SIXTEENTHS // limits.bucket_us] += 1
    habits.hours[instant // _HOUR_US % 24, inside * FINE // limits.bucket_us] += 1
    if rows.nulls[i] & c.VIRTUAL:
        return
    flags, virtual = habits.flags, np.int64(rows.virtual[i] != 0)
    flags[at, FLAGS] += 1
    if habits.last[1] == virtual:
        flags[at, FLAG_REPEATS] += 1
    habits.last[1] = virtual
    if virtual:
        flags[at, VIRTUAL] += 1
        flags[at, VIRTUAL_RANKS] += flags[at, FLAGS]
        flags[at, VIRTUAL_OFFSETS] += inside


@inlined
def add_kind(kinds, place, new, zone, inside):
    """An arrival of the kind at ``place`` of its list (``new`` there), in ``zone``."""
    if new:
        kinds.sums[place, RANKS], kinds.sums[place, REPEATS], kinds.sums[place, INSIDE] = 0, 0, 0
        kinds.zone[place] = _zone_of(kinds, zone)
    at = kinds.zone[place]
    kinds.zones[at, 1] += 1
    kinds.sums[place, RANKS] += kinds.zones[at, 1]
    kinds.sums[place, INSIDE] += inside
    if kinds.zones[at, 2] == place:
        kinds.sums[place, REPEATS] += 1
    kinds.zones[at, 2] = place


@inlined
def _zone_of(kinds, zone):
    """The place of a zone among those of this stretch."""
    for at in range(kinds.state[0], kinds.state[1]):
        if kinds.zones[at, 0] == zone:
            return at
    at = kinds.state[1]
    kinds.state[1] = at + 1
    kinds.zones[at, 0], kinds.zones[at, 1], kinds.zones[at, 2] = zone, 0, _NONE
    return at
