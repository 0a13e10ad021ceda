"""T17: people pay at the hours and on the days at which the public does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest

from seg5b import api
from seg5b.realism import Scoreboard, public_bands
from seg5b.realism.hours import SPECIAL, Days, day_reading, share_readings, weekend_reading
from seg5b.realism.public_bands import NIGHT_SHARE, PublicBand
from seg5b.realism.readings import Reading
from seg5b.world.plan import BASELINE
from seg5b.world.public_hours import shapes_by_class
from seg5b.world.vocabulary import CLASSES, ONLINE
from tests.validation.harness import Run

BAND = PublicBand(0.2, 0.3, "", "")


def merchants(share: float, *, seed: int = 1, number: int = 40, mean: float = 400.0) -> tuple[np.ndarray, np.ndarray]:
    """Part and whole of merchants whose own shares lie about ``share``."""
    random = np.random.default_rng(seed)
    wholes = random.poisson(random.lognormal(0.0, 1.0, number) * mean)
    own = random.beta(60 * share, 60 * (1 - share), number)
    return random.binomial(wholes, own).astype(float), wholes.astype(float)


def night(share: float, **options: float) -> Reading:
    (found,) = share_readings("night", {"online_24h": merchants(share, **options)}, NIGHT_SHARE, 2_000)  # type: ignore[arg-type]
    return found


def test_a_lawful_night_passes_two_hundred_times() -> None:
    readings = [night(0.06, seed=seed) for seed in range(200)]
    assert all(each.judged and each.within(0) and each.within(1) for each in readings)


def test_a_share_at_the_edge_of_its_band_does_not_fail_by_chance() -> None:
    readings = [night(0.13, seed=seed) for seed in range(200)]
    assert sum(each.within(0) for each in readings) >= 195 and sum(each.within(1) for each in readings) < 150


@pytest.mark.parametrize("share", [0.001, 0.34])
def test_a_night_that_the_public_does_not_know_fails(share: float) -> None:
    assert not night(share).within(0)


def test_small_samples_are_not_judged() -> None:
    assert "2,000 arrivals" in night(0.34, mean=20.0).short
    assert "8 merchants" in night(0.34, number=7, mean=5_000.0).short
    assert share_readings("night", {"no such class": merchants(0.34)}, NIGHT_SHARE, 2_000) == []


def test_a_peak_is_a_share_of_24_hours() -> None:
    (plain,) = share_readings("x", {"a": merchants(0.1)}, {"a": BAND}, 0)
    (peak,) = share_readings("x", {"a": merchants(0.1)}, {"a": BAND}, 0, 24.0)
    assert (peak.value, peak.se) == (pytest.approx(24 * plain.value), pytest.approx(24 * plain.se))


def test_weeks_that_differ_widen_the_error_of_a_weekend() -> None:
    by_merchant = np.stack(merchants(0.25, mean=4_000.0))
    whole = by_merchant[1].sum() / 4
    steady, unlike = (
        np.stack([np.array(parts) * whole, np.full(4, whole)]) for parts in ([0.25] * 4, [0.1, 0.4, 0.15, 0.35])
    )
    first, second = (weekend_reading("x", by_merchant, by_week, BAND) for by_week in (steady, unlike))
    assert second.se > 3 * first.se > 0.0
    assert first.judged and "4 weeks (has 3)" in weekend_reading("x", by_merchant, steady[:, :3], BAND).short


FIRST, NUMBER = date(2026, 10, 1), 110
WEEKDAYS = np.array([1.0, 1.0, 1.0, 1.1, 1.3, 1.6, 0.8])


def december(
    factors: dict[tuple[int, int], float], *, seed: int = 1, scatter: float = 0.08, country: str = "GB"
) -> Days:
    """Days of two zones in autumn and winter, each with a factor of chance, and some with one of their own."""
    random = np.random.default_rng(seed)
    dates = [FIRST + timedelta(days=day) for day in range(NUMBER)]
    own = np.array([WEEKDAYS[day.weekday()] * factors.get((day.month, day.day), 1.0) for day in dates])
    counts = random.poisson(3_000.0 * own * random.lognormal(0.0, scatter, (2, NUMBER))).astype(float)
    counts[1, :40] = np.nan  # not all of the horizon is whole in every zone
    return Days(counts, [country, country], FIRST)


LAWFUL = {(12, 23): 1.5, (12, 24): 1.5, (12, 25): 0.35, (12, 26): 0.75, (1, 1): 0.5}


@pytest.mark.parametrize(("name", "special", "band"), [(name, special, band) for name, _, special, band in SPECIAL])
def test_special_days(name: str, special: Callable[..., list[date]], band: PublicBand) -> None:
    lawful = day_reading(name, december(LAWFUL), special, band)
    ordinary = day_reading(name, december({}), special, band)
    if name.startswith("other"):  # Britain has none in these months
        assert not lawful.judged and "arrivals expected" in lawful.short
        return
    assert lawful.judged and lawful.within(0) and lawful.within(1), lawful
    assert ordinary.value == pytest.approx(1.0, abs=5 * ordinary.se)
    if "online" not in name and "groceries" not in name:
        assert not ordinary.within(1)
    if "25 December, physical" in name:
        assert not ordinary.within(0)


def test_the_error_of_a_special_day_is_that_of_drawn_days() -> None:
    _, _, special, band = SPECIAL[0]
    readings = [day_reading("x", december({}, seed=seed), special, band) for seed in range(200)]
    assert np.mean([each.se for each in readings]) == pytest.approx(np.std([each.value for each in readings]), rel=0.2)


def test_other_holidays_are_those_of_the_country() -> None:
    """German unity, 3 October, a Saturday in 2026; 31 October and 1 November of some countries are not Germany's."""
    _, _, special, band = SPECIAL[-1]
    found = day_reading("x", december({(10, 3): 0.05}, country="DE"), special, band)
    assert found.judged and found.value == pytest.approx(0.05, abs=0.02) and not found.within(0)
    assert not day_reading("x", december({}, country="XX"), special, band).judged


def test_few_ordinary_days_are_not_judged() -> None:
    days = december(LAWFUL)
    short = Days(days.arrivals[:1, 70:], ["GB"], FIRST + timedelta(days=70))
    assert "21 ordinary days" in day_reading("x", short, SPECIAL[0][2], SPECIAL[0][3]).short


def test_bands_are_of_classes_and_admit_the_public_shapes() -> None:
    assert set(NIGHT_SHARE) == set(CLASSES)
    assert set(public_bands.PEAK_TO_MEAN) | set(public_bands.WEEKEND_SHARE) <= set(CLASSES)
    assert tuple(public_bands.ONLINE) == tuple(ONLINE)
    for name, shape in shapes_by_class().items():
        hours, days = np.array(shape.hours, float), np.array(shape.days, float)
        assert NIGHT_SHARE[name].low <= hours[:6].sum() / hours.sum() <= NIGHT_SHARE[name].high, name
        band = public_bands.WEEKEND_SHARE.get(name)
        assert band is None or band.low <= days[5:].sum() / days.sum() <= band.high, name


def test_the_gate_on_a_run(board: Scoreboard, small: Run) -> None:
    """Night shares and weekends are those of the clocks that arrivals carry."""
    run = api.Run(small.root, small.contracts)
    classes = {
        (row["merchant_id"], row["zone_representation"], row["channel_group"]): row["demand_class"]
        for row in run.table("s1_grouping_5B", BASELINE).to_pylist()
    }
    hours: Counter[tuple[str, int]] = Counter()
    weekends: Counter[tuple[str, bool]] = Counter()
    for row in run.table("arrival_events_5B", BASELINE).to_pylist():
        name = classes[row["merchant_id"], row["zone_representation"], row["channel_group"]]
        clock = row["ts_local_operational"] if row["is_virtual"] else row["ts_local_primary"]
        hours[name, clock.hour] += 1
        weekends[name, clock.weekday() >= 5] += 1
    facts = board.diagnostics["t17"][BASELINE]
    assert {
        (name, hour): count
        for name, all_hours in facts["by_hour"].items()
        for hour, count in enumerate(all_hours)
        if count
    } == hours
    measured = {each["name"]: each for each in facts["measured"]}
    for name in facts["by_hour"]:
        whole = sum(count for (own, _), count in hours.items() if own == name)
        asleep = sum(count for (own, hour), count in hours.items() if own == name and hour < 6)
        assert measured[f"night (0-6 h), {name}"]["value"] == pytest.approx(asleep / whole)
        if name not in public_bands.SHOPS:
            share = weekends[name, True] / whole
            assert measured[f"weekend, {name}"]["value"] == pytest.approx(share, abs=1e-3)
    assert f"{BASELINE}: night (0-6 h), online_24h" in board.gate("T17").extras["readings_beyond_b"]
