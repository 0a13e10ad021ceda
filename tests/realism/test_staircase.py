"""T19: the rate of arrivals goes on across the boundaries of buckets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from seg5b import api
from seg5b.realism import Scoreboard, Verdict, staircase
from seg5b.realism.readings import excess_rms
from seg5b.realism.staircase import AFTER, BEFORE, EARLIER, LATER, log_steps, step_reading, step_readings
from seg5b.run_tables.reductions import attach_reductions
from seg5b.run_tables.views import scenario_tables
from seg5b.run_tables.whole_run import open_run_tables
from seg5b.world import World
from seg5b.world.plan import BASELINE
from tests.worlds import OWN

DAYS = 28
HOURS = 20.0 + 380.0 * np.exp(-((np.arange(24) - 14.5) ** 2) / 18.0)
"""Arrivals of each hour of a day."""
MINUTES = {AFTER: 2.5, LATER: 7.5, BEFORE: -2.5, EARLIER: -7.5}


def smooth(minute: np.ndarray) -> np.ndarray:
    """Arrivals an hour at a minute of the day, straight from the middle of an hour to that of the next."""
    return np.interp(minute / 60.0, np.arange(-1, 25) + 0.5, HOURS[np.arange(-1, 25) % 24])


def level(minute: np.ndarray) -> np.ndarray:
    """The same, level within each hour."""
    return HOURS[(minute // 60).astype(int) % 24]


def drawn(
    rate: Callable[[np.ndarray], np.ndarray],
    *,
    seed: int = 3,
    scale: float = 1.0,
    kappa: float = 20.0,
    days: int = DAYS,
) -> np.ndarray:
    """Arrivals [24 boundaries, days, 4 slots], each hour of each day with a factor of its own."""
    random = np.random.default_rng(seed)
    factors = random.gamma(kappa, 1.0 / kappa, (days, 25))
    counts = np.zeros((24, days, 4))
    for slot, at in MINUTES.items():
        minute = np.arange(24) * 60.0 + at
        own = factors[:, (minute // 60).astype(int) % 24]
        counts[:, :, slot] = random.poisson(scale * rate(minute % 1440.0) * own / 12.0).T
    return counts


def test_steps_are_those_of_the_rate() -> None:
    counts = drawn(level, scale=2000.0, kappa=1e9)
    steps, variances, weights = log_steps(counts)
    true = np.log(HOURS / np.roll(HOURS, 1))
    assert np.abs((steps - true) / np.sqrt(variances)).max() < 4
    assert steps == pytest.approx(true, abs=0.05)
    assert (weights == counts.sum(axis=1)[:, [AFTER, BEFORE]].sum(axis=1)).all()


def test_a_steep_trend_is_no_step() -> None:
    """Twenty times as many from one hour to the next, evenly: five minutes make 1.28 of it, and that is no step."""
    slots = np.array([MINUTES[slot] for slot in (AFTER, LATER, BEFORE, EARLIER)])
    counts = np.tile(1000.0 * np.exp(np.log(20.0) * slots / 60.0), (2, DAYS, 1))
    assert log_steps(counts)[0] == pytest.approx([0.0, 0.0], abs=1e-12)


@pytest.mark.parametrize("kappa", [1e9, 20.0, 4.0])
def test_variances_are_those_of_drawn_steps(kappa: float) -> None:
    """Of Poisson counts, and of such as hours of their own scatter."""
    found = [log_steps(drawn(smooth, seed=seed, scale=10.0, kappa=kappa))[:2] for seed in range(200)]
    steps, variances = (np.array([each[part] for each in found]) for part in (0, 1))
    assert variances.mean() == pytest.approx(steps.var(axis=0).mean(), rel=0.1)


def test_a_smooth_rate_passes_two_hundred_times() -> None:
    readings = [step_reading("x", drawn(smooth, seed=seed, scale=6.0)) for seed in range(200)]
    assert all(each.judged and each.within(0) for each in readings)
    assert sum(each.within(1) for each in readings) >= 160, "the root of what is left of noise is small"


def test_a_level_rate_fails_every_time() -> None:
    readings = [step_reading("x", drawn(level, seed=seed, scale=6.0)) for seed in range(50)]
    assert not any(each.within(0) for each in readings)
    true = np.log(HOURS / np.roll(HOURS, 1))
    rms = np.sqrt(np.average(true**2, weights=HOURS + np.roll(HOURS, 1)))
    assert np.mean([each.value for each in readings]) == pytest.approx(rms, rel=0.1)


def test_too_little_is_not_judged() -> None:
    assert "arrivals on each side" in step_reading("x", drawn(level, scale=0.5)).short
    assert step_reading("x", drawn(level, scale=40.0, days=7)).short == "8 days (has 7)"
    empty = step_reading("x", np.zeros((24, 9, 4)))
    assert empty.short and not empty.within(0)


def test_boundaries_of_classes_stay_apart_when_all_are_taken_together() -> None:
    """Steps up of one class and down of another at the same time are no smooth rate."""

    def odd_hours(more: float) -> np.ndarray:
        return drawn(lambda minute: 200.0 * (1.0 + more * (minute // 60 % 2)), scale=4.0)

    up, down = odd_hours(0.5), odd_hours(-0.3)
    readings = {each.name.split(", ")[1]: each for each in step_readings({"a": up, "b": down})}
    assert set(readings) == {"a", "b", "all classes"}
    assert readings["all classes"].value > 0.3 and not readings["all classes"].within(0)


def test_noise_alone_has_no_excess() -> None:
    random = np.random.default_rng(1)
    variances, weights = random.uniform(0.01, 0.05, 48), random.uniform(1.0, 9.0, 48)
    beyond = 0
    for _ in range(500):
        value, error = excess_rms(random.normal(0.0, np.sqrt(variances)), variances, weights)
        beyond += value - 3.0 * error > 1e-9
    assert beyond <= 10
    value, error = excess_rms(np.full(48, 0.5), np.zeros(48), weights)
    assert (value, error) == (pytest.approx(0.5), pytest.approx(0.0))


@pytest.mark.parametrize("bucket_s", [3600, 900])
def test_slots_are_those_of_the_arrivals(bucket_s: int, tmp_path: Path) -> None:
    """Boundaries, slots and local times against a plain count; a bucket of a quarter of an hour has slots of 225 seconds."""
    spec = {**OWN, "bucket_seconds": bucket_s, "scenarios": [{"id": "quiet"}]}
    run_id = World.from_mapping(spec).make(tmp_path)
    api.run(tmp_path, run_id, last="S4", backend="cpu")
    run = api.open_run(tmp_path)
    with open_run_tables(run.root, run.contracts, label="steps") as whole:
        scenario = whole.gate.scenarios[0]
        view = attach_reductions(scenario_tables(whole, scenario))
        counted = staircase._counted(view)
    classes = {
        (row["merchant_id"], row["zone_representation"], row["channel_group"]): row["demand_class"]
        for row in run.table("s1_grouping_5B", "quiet").to_pylist()
    }
    slot_us, bucket_us = min(300, bucket_s // 4) * 1_000_000, bucket_s * 1_000_000
    seen: Counter[tuple[str, int, int]] = Counter()
    for row in run.table("arrival_events_5B", "quiet").to_pylist():
        at_us = round(row["ts_utc"].replace(tzinfo=UTC).timestamp() * 1e6)
        after, left = at_us % bucket_us, bucket_us - 1 - at_us % bucket_us
        slots = [after // slot_us, 2 + left // slot_us]
        for edge_us, slot in zip((at_us - after, at_us - after + bucket_us), slots, strict=True):
            inside = scenario.start_us < edge_us < scenario.end_us
            if inside and slot in ((AFTER, LATER) if slot == slots[0] else (BEFORE, EARLIER)):
                local = datetime.fromtimestamp(edge_us // 1_000_000, ZoneInfo(row["zone_representation"]))
                name = classes[row["merchant_id"], row["zone_representation"], row["channel_group"]]
                seen[name, 60 * local.hour + local.minute, slot] += 1
    whole_slots = {
        (name, slot): int(number)
        for name, counts in counted.items()
        for slot, number in enumerate(counts.sum(axis=(0, 1)))
    }
    expected: Counter[tuple[str, int]] = Counter()
    for (name, _, slot), arrivals in seen.items():
        expected[name, slot] += arrivals
    assert {key: number for key, number in whole_slots.items() if number} == expected
    for name, counts in counted.items():
        assert len(counts) == len({minute for own, minute, _ in seen if own == name})


def test_the_gate_on_a_run(board: Scoreboard) -> None:
    """Today's rate is level within each bucket; the small world has too little to say so of a class, not of all."""
    gate = board.gate("T19")
    measured = {each["name"]: each for each in board.diagnostics["t19"][BASELINE]["measured"]}
    whole = measured["step at boundaries, all classes"]
    assert (gate.verdict is Verdict.FAIL) == whole["judged"], whole
    if not whole["judged"]:
        assert gate.verdict is Verdict.NOT_APPLICABLE and "arrivals on each side" in gate.reason
    assert whole["value"] > 0.2
