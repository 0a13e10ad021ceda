"""Changes of the clock near an arrival, from the sealed time-zone cache."""

from __future__ import annotations

from dataclasses import dataclass

from seg5b.explain.life.words import day, duration, minute, offset, wall_clock
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.zones import MICROSECONDS, sealed_cache

NEAR_S = 36 * 3600
"""A change so far away is told: it is that of the same night, or of the day before or after."""
_SAME_NIGHT_S = 12 * 3600
_TOLD_US = 400 * 86_400 * MICROSECONDS
"""How far away a change may be to be named where none is near."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the clock: its UTC second, and the offsets before and from then on, minutes east of UTC."""

    second: int
    before_min: int
    after_min: int

    @property
    def from_to(self) -> tuple[str, str]:
        """What the clock showed at that instant by either offset, ``("02:00", "03:00")``."""
        at_us = self.second * MICROSECONDS
        return minute(wall_clock(at_us, self.before_min)), minute(wall_clock(at_us, self.after_min))


def changes(subject: Subject, tzid: str) -> list[Change]:
    """All changes of a zone that the cache knows, in order; none for a zone that it does not have."""
    cache = sealed_cache(subject)
    zone = cache.index().get(tzid)
    if zone is None:
        return []
    own = slice(int(cache.start[zone]), int(cache.start[zone + 1]))
    seconds, offsets = cache.second[own].tolist(), cache.offset_min[own].tolist()
    steps = zip(seconds[1:], offsets, offsets[1:], strict=False)
    return [Change(second, before, after) for second, before, after in steps if before != after]


def told_clock(subject: Subject, tzid: str, ts_us: int) -> list[str]:
    """Sentences on what the clock of a zone did around an instant: each change nearby and the times that it left out or
    doubled, or that there was none."""
    known = changes(subject, tzid)
    second = ts_us // MICROSECONDS
    near = [change for change in known if abs(change.second - second) <= NEAR_S]
    if not near:
        return [_quiet(tzid, known, ts_us)]
    return [told for change in near for told in (_change(tzid, change, ts_us), _hours(change, ts_us))]


def told_other_clock(subject: Subject, tzid: str, ts_us: int) -> list[str]:
    """The changes nearby of a clock that plays a smaller part."""
    near = [change for change in changes(subject, tzid) if abs(change.second - ts_us // MICROSECONDS) <= NEAR_S]
    return [_change(tzid, change, ts_us) for change in near]


def _change(tzid: str, change: Change, ts_us: int) -> str:
    away = ts_us / MICROSECONDS - change.second
    moment = wall_clock(change.second * MICROSECONDS, change.before_min)
    before, after = change.from_to
    forward = "forward" if change.after_min > change.before_min else "back"
    distance = f"{duration(away)} {'earlier' if away >= 0 else 'later'}"
    how = f"went {forward} from {before} to {after}, and {offset(change.before_min)} became {offset(change.after_min)}"
    if abs(away) < _SAME_NIGHT_S:
        return f"That {'night' if moment.hour < 6 else 'day'} the clock of {tzid} changed {distance}: it {how}."
    return f"On {day(moment)}, {distance}, the clock of {tzid} {how}."


def _hours(change: Change, ts_us: int) -> str:
    """The times that a change left out (a gap), or doubled (a fold), and which of the two an instant in a fold is."""
    before, after = change.from_to
    if change.after_min > change.before_min:
        return f"No time from {before} to {after} exists on that clock that day."
    away, half = ts_us / MICROSECONDS - change.second, (change.before_min - change.after_min) * 60
    twice = f"The times from {after} to {before} came twice on that clock"
    if not -half <= away < half:
        return f"{twice}."
    which, now = ("first", change.before_min) if away < 0 else ("second", change.after_min)
    return f"{twice}: this is the {which} time, as {offset(now)} says."


def _quiet(tzid: str, known: list[Change], ts_us: int) -> str:
    within = [change for change in known if abs(change.second * MICROSECONDS - ts_us) <= _TOLD_US]
    last = [change for change in within if change.second * MICROSECONDS <= ts_us][-1:]
    following = [change for change in within if change.second * MICROSECONDS > ts_us][:1]
    told = []
    for change, word in [*((each, "since") for each in last), *((each, "until") for each in following)]:
        before, after = change.from_to
        moment = wall_clock(change.second * MICROSECONDS, change.before_min)
        told.append(
            f"{word} {day(moment)}, when {'it went' if word == 'since' else 'it goes'} from {before} to {after}"
        )
    if not told:
        return f"The clock of {tzid} does not change: no change lies within a year of this day."
    held = following[0].before_min if following else last[0].after_min
    return f"The clock of {tzid} did not change near this day: {offset(held)} holds {', and '.join(told)}."
