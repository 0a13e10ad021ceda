"""The cache against its published vector, and every step of it against Python's own reading of the same files."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from seg5b.errors import WorldError
from seg5b.tzdb import DEFAULT, open_tzdb
from seg5b.world.geography import country_of_every_zone
from seg5b.world.tzcache import LAST_YEAR, compile_cache, encode_cache, minute_steps
from seg5b.world.tzif import SENTINEL_S, Transition, read_zone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def package_zone(tzid: str) -> ZoneInfo:
    with BytesIO(open_tzdb().zone(tzid) or b"") as stream:
        return ZoneInfo.from_file(stream)


def offset_min(zone: ZoneInfo, instant_s: int) -> int:
    offset = (EPOCH + timedelta(seconds=instant_s)).astimezone(zone).utcoffset()
    assert offset is not None
    return round(offset.total_seconds() / 60)


def test_two_zone_vector() -> None:
    blob = encode_cache({"Europe/London": ((SENTINEL_S, -1), (1774746000, 60)), "Etc/UTC": ((SENTINEL_S, 0),)})
    assert blob.hex() == (
        "545a433101000200000007004574632f555443010000000000000000000080000000000d004575726f70652f4c6f6e646f6e02"
        "0000000000000000000080ffffffff9079c869000000003c000000"
    )
    assert hashlib.sha256(blob).hexdigest() == "38a80642e94dd76e7efe5cecb5584820a9f34ea2319c4132945cc1a400182c9a"


def test_london_starts_with_its_local_mean_time() -> None:
    assert compile_cache(open_tzdb(), ["Europe/London"]).steps["Europe/London"][:2] == (
        (SENTINEL_S, -1),
        (-3852662325, 0),
    )


def test_every_step_of_every_zone_agrees_with_zoneinfo() -> None:
    cache = compile_cache(open_tzdb(), {*country_of_every_zone(open_tzdb()), "Etc/UTC"})
    checked = 0
    for tzid, steps in cache.steps.items():
        zone = package_zone(tzid)
        for (_, before), (start_s, after) in pairwise(steps):
            assert (offset_min(zone, start_s - 1), offset_min(zone, start_s)) == (before, after), (tzid, start_s)
            checked += 1
    assert checked > 20_000


def test_no_change_is_missing_between_steps() -> None:
    """Half-hourly probes over the release's years find no offset that the steps do not give."""
    for tzid in ("America/New_York", "Africa/Casablanca", "Asia/Gaza", "Australia/Lord_Howe", "Antarctica/Troll"):
        zone, cache = package_zone(tzid), compile_cache(open_tzdb(), [tzid])
        for year in (2026, LAST_YEAR):
            start_s = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
            for instant_s in range(start_s, start_s + 365 * 86_400, 1800 * 7):
                steps = cache.steps[tzid]
                got = next(offset for start, offset in reversed(steps) if start <= instant_s)
                assert got == offset_min(zone, instant_s), (tzid, instant_s)


def test_the_cache_reaches_past_release_year_plus_three() -> None:
    last_s = compile_cache(open_tzdb(), ["Europe/Paris"]).steps["Europe/Paris"][-1][0]
    assert (EPOCH + timedelta(seconds=last_s)).year >= int(DEFAULT[:4]) + 3


def test_steps_round_ties_to_even_and_drop_repeats() -> None:
    seconds = (Transition(SENTINEL_S, 90), Transition(0, 150), Transition(10, 120), Transition(20, 3600))
    assert minute_steps("x", seconds) == ((SENTINEL_S, 2), (20, 60))


def test_an_offset_beyond_fifteen_hours_is_refused() -> None:
    with pytest.raises(WorldError, match="OFFSET_RANGE"):
        minute_steps("x", (Transition(SENTINEL_S, 0), Transition(0, 16 * 3600)))


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(WorldError, match="ZONE_UNREADABLE"):
        read_zone(open_tzdb(), "Europe/Atlantis", 2030)
