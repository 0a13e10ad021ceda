"""Weekly shapes by public hourly tables: inside the bands that published figures leave, one integral however fine the buckets,
and part of a world's identity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seg5b.errors import WorldError
from seg5b.world import World
from seg5b.world import public_hours as tables
from seg5b.world.presets import PRESETS
from seg5b.world.public_hours import LAW, PublicShape, shapes_by_class, shapes_sha256, week_weights
from seg5b.world.spec import with_values
from seg5b.world.surface import Surface
from seg5b.world.templates import VARIANTS, shape
from seg5b.world.vocabulary import CLASSES
from seg5b.world.world import build_world

# Night share (0-5 h), busiest over mean hour of the mean day, weekend share: what published figures admit, with room where no
# table was published. Stated apart from the table that is held against it.
BANDS = {
    "consumer_daytime": ((0.003, 0.05), (1.8, 3.2), (0.27, 0.37)),
    "evening_weekend": ((0.0, 0.06), (2.0, 5.0), (0.28, 0.42)),
    "fuel_convenience": ((0.02, 0.12), (1.4, 3.2), (0.24, 0.33)),
    "office_hours": ((0.0, 0.02), (2.0, 5.0), (0.03, 0.22)),
    "bills_utilities": ((0.0, 0.02), (2.0, 5.0), (0.03, 0.22)),
    "travel_hospitality": ((0.04, 0.15), (1.4, 2.5), (0.24, 0.38)),
    "online_24h": ((0.015, 0.13), (1.3, 2.2), (0.20, 0.30)),
    "online_bursty": ((0.015, 0.13), (1.3, 2.2), (0.20, 0.30)),
    "always_on_local": ((0.02, 0.12), (1.4, 3.2), (0.24, 0.33)),
    "low_volume_tail": ((0.0, 0.02), (1.8, 3.2), (0.20, 0.42)),
}
ONE_WEEK = {"name": "shapes", "horizon": {"start": "2026-03-02", "days": 7}, "places": {"countries": ["GB"]}}


def world(**values: Any) -> World:
    return World.from_mapping(with_values({**ONE_WEEK, "merchants": {"count": 20}}, values))


def summary(week: np.ndarray) -> tuple[float, float, float]:
    """Night share, peak over mean and weekend share of hourly weights."""
    days = week.reshape(7, 24).astype(np.float64) / week.sum()
    hours = days.sum(axis=0)
    return float(hours[:6].sum()), float(hours.max() * 24), float(days[5:].sum())


def outside(class_name: str, variant: int) -> list[str]:
    names = ("night", "peak", "weekend")
    found = zip(names, summary(week_weights(class_name, variant, 1)), BANDS[class_name], strict=True)
    return [name for name, value, (low, high) in found if not low <= value <= high]


def test_every_class_has_a_shape() -> None:
    assert set(shapes_by_class()) == set(CLASSES) == set(BANDS)
    for each in shapes_by_class().values():
        assert (len(each.hours), len(each.days)) == (24, 7) and min(each.hours) >= 0 < min(each.days)
        assert each.sure in ("derived", "known", "judgement") and each.source


@pytest.mark.parametrize("variant", range(VARIANTS))
@pytest.mark.parametrize("class_name", CLASSES)
def test_shapes_lie_where_published_figures_do(class_name: str, variant: int) -> None:
    assert not outside(class_name, variant)


def test_a_shape_without_public_support_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    nightly = PublicShape((5,) * 6 + (2,) * 18, (1, 1, 1, 1, 1, 3, 3), "judgement", "a third of it by night")
    monkeypatch.setattr(tables, "shapes_by_class", lambda: dict.fromkeys(CLASSES, nightly))
    assert outside("online_24h", 1) == ["night", "weekend"]


@pytest.mark.parametrize("class_name", ["online_24h", "online_bursty"])
def test_online_sleeps_before_dawn_and_wakes_again_in_the_evening(class_name: str) -> None:
    hours = week_weights(class_name, 1, 1).reshape(7, 24).sum(axis=0)
    assert 3 <= hours.argmin() <= 5
    assert hours[20:23].min() > 2 * hours[:6].max()


def test_finer_buckets_divide_the_same_minutes() -> None:
    hourly = week_weights("consumer_daytime", 0, 1)
    for per_hour in (2, 4):
        fine = week_weights("consumer_daytime", 0, per_hour)
        assert (fine.reshape(168, per_hour).sum(axis=1) == hourly).all()
        # were the rate constant within an hour, a step at the full hour would be as large as that
        day = fine.reshape(7, -1)[0].astype(np.float64)
        assert np.abs(np.diff(day)).max() < np.abs(np.diff(hourly.reshape(7, 24)[0])).max() / per_hour


def test_a_variant_is_the_same_day_later() -> None:
    early, middle, late = (week_weights("fuel_convenience", variant, 4).reshape(7, 96) for variant in range(3))
    assert early.sum() == middle.sum() == late.sum()
    centre = [float((day[0] * np.arange(96)).sum() / day[0].sum()) for day in (early, middle, late)]
    assert centre[0] < centre[1] < centre[2]


def test_a_world_takes_the_law_that_it_states() -> None:
    peaks, public = world(), world(**{"merchants.shapes": LAW})
    assert (peaks.plan.shapes_law, public.plan.shapes_law) == ("peaks_v1", LAW)
    assert public.document["merchants"]["shapes_sha256"] == shapes_sha256()
    assert "shapes_sha256" not in peaks.document["merchants"]
    week = shape("online_24h", 1, law=LAW)
    assert week == pytest.approx(week_weights("online_24h", 1, 1) / week_weights("online_24h", 1, 1).sum(), rel=1e-15)
    assert np.abs(week - shape("online_24h", 1)).sum() > 0.2
    assert (
        Surface(build_world(public.plan, unique_keys=False), "x").shapes[CLASSES.index("online_24h"), 1] == week
    ).all()


def test_presets_keep_their_law() -> None:
    public = {name for name, plan in PRESETS.items() if plan.shapes_law == "public_v1"}
    assert public == {"demo", "small", "reference", "large"}


@pytest.mark.parametrize("stated", [{}, {"merchants.shapes": LAW}])
def test_another_table_is_refused(stated: dict[str, Any]) -> None:
    with pytest.raises(WorldError, match=r"merchants\.shapes_sha256.*leave it out"):
        world(**stated, **{"merchants.shapes_sha256": "0" * 64})
