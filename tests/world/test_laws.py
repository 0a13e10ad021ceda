"""Templates, overlays, site weights and group weights against the figures that docs/laws#world-shapes and its neighbours state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seg5b.world.group_weights import make_group_weights
from seg5b.world.overlays import Calendar, Event
from seg5b.world.presets import PRESETS
from seg5b.world.sites import make_sites
from seg5b.world.templates import all_shapes, variant_of
from seg5b.world.vocabulary import CLASSES
from seg5b.world.world import BuiltWorld

NIGHT = {
    "consumer_daytime": 0.034, "online_24h": 0.361, "evening_weekend": 0.102, "online_bursty": 0.128,
    "fuel_convenience": 0.059, "office_hours": 0.031, "bills_utilities": 0.035, "travel_hospitality": 0.039,
    "always_on_local": 0.154, "low_volume_tail": 0.155,
}  # fmt: skip
WEEKEND = (0.263, 0.303, 0.440, 0.408, 0.263, 0.094, 0.150, 0.391, 0.286, 0.286)


@pytest.mark.parametrize(
    ("name", "night", "weekend"), [(*pair, w) for pair, w in zip(NIGHT.items(), WEEKEND, strict=True)]
)
def test_template_masses(name: str, night: float, weekend: float) -> None:
    shapes = all_shapes(PRESETS["demo_classic"])[CLASSES.index(name)].reshape(3, 7, 24)
    assert np.abs(shapes.sum(axis=(1, 2)) - 1).max() < 1e-12
    assert shapes[:, :, :6].sum() / 3 == pytest.approx(night, abs=0.0015)
    assert shapes[:, 5:].sum() / 3 == pytest.approx(weekend, abs=0.0015)


def test_variants_are_spread_over_three() -> None:
    variants = [variant_of("online_24h", "mixed", f"Zone/{number}", "0" * 64) for number in range(300)]
    assert np.bincount(variants, minlength=3).min() > 70


def calendar(*events: Event) -> np.ndarray:
    return Calendar(events, 48).factors("DE", "Europe/Berlin", "consumer_daytime")


def test_overlay_without_events_is_one() -> None:
    assert (calendar() == 1.0).all()
    assert (calendar(Event("PAYDAY", 0, 48, 1.3, country="FR")) == 1.0).all()


def test_overlay_prefers_the_most_specific_scope() -> None:
    wide = Event("PAYDAY", 0, 48, 1.5)
    narrow = Event("PAYDAY", 10, 4, 1.2, country="DE", class_name="consumer_daytime")
    factor = calendar(wide, narrow)
    assert factor[9] == 1.5
    assert factor[10] == 1.2


def test_overlay_takes_the_strongest_of_one_scope() -> None:
    for first, second in ((1.2, 1.4), (1.4, 1.2)):
        assert calendar(Event("PAYDAY", 0, 9, first), Event("PAYDAY", 0, 9, second))[0] == 1.4
    for first, second in ((0.9, 0.7), (0.7, 0.9)):
        assert calendar(Event("HOLIDAY", 0, 9, first), Event("HOLIDAY", 0, 9, second))[0] == 0.7


@pytest.mark.parametrize("scope", [{"country": "FR"}, {"tzid": "Europe/Paris"}, {"class_name": "office_hours"}])
def test_an_event_needs_every_scope_to_match(scope: dict[str, str]) -> None:
    here: dict[str, Any] = {"country": "DE", "tzid": "Europe/Berlin", "class_name": "consumer_daytime"}
    assert Event("PAYDAY", 0, 9, 1.2, **here).covers("DE", "Europe/Berlin", "consumer_daytime", "card_present")
    elsewhere = Event("PAYDAY", 0, 9, 1.2, **(here | scope))
    assert not elsewhere.covers("DE", "Europe/Berlin", "consumer_daytime", "card_present")
    assert calendar(elsewhere)[0] == 1.0


def test_an_outage_caps_uplifts() -> None:
    factor = calendar(Event("PAYDAY", 0, 48, 1.5), Event("OUTAGE", 5, 2, 0.05, tzid="Europe/Berlin"))
    assert factor[4] == 1.5
    assert factor[5] == pytest.approx(0.05)


def test_stress_caps_a_campaign() -> None:
    assert calendar(Event("STRESS", 0, 9, 1.6), Event("CAMPAIGN", 0, 9, 1.8))[0] == pytest.approx(1.6 * 1.6)


def test_ramps_rise_and_fall() -> None:
    factor = calendar(Event("PAYDAY", 0, 8, 2.0, 4, 2))
    assert factor[:9].tolist() == [1.25, 1.5, 1.75, 2.0, 2.0, 2.0, 2.0, 1.5, 1.0]


def test_site_weights_keep_the_cap_and_sum_to_one(reference_world: BuiltWorld) -> None:
    world = reference_world
    sites = make_sites(world.plan, world.rows, world.site_counts, world.geography, world.draws)
    count = np.bincount(sites.merchant)
    total = np.bincount(sites.merchant, sites.weight)[count > 0]
    largest = np.zeros(count.size)
    np.maximum.at(largest, sites.merchant, sites.weight)
    assert np.abs(total - 1).max() < 1e-12
    assert (
        largest[(count > 1) & (count <= 3)].max() == pytest.approx(0.8) if ((count > 1) & (count <= 3)).any() else True
    )
    assert largest[(count > 3) & (count <= 8)].max() <= 0.7 + 1e-12
    assert largest[count > 8].max() == pytest.approx(0.6)
    assert sites.weight.min() > 0


def test_site_order_is_contiguous_per_merchant_and_country(demo_world: BuiltWorld) -> None:
    sites, rows = demo_world.sites, demo_world.rows
    seen: dict[tuple[int, int], list[int]] = {}
    for row, merchant, order in zip(sites.row, sites.merchant, sites.site_order, strict=True):
        seen.setdefault((int(merchant), int(rows.country[row])), []).append(int(order))
    assert all(orders == list(range(1, len(orders) + 1)) for orders in seen.values())


def test_group_weights_cover_every_merchant_day_and_active_zone(demo_world: BuiltWorld) -> None:
    rows = demo_world.rows
    weights = make_group_weights(rows, 28, demo_world.draws, 42)
    active = np.unique(rows.series()[rows.weekly > 0])
    expected = {(int(key) // 10_000, day, int(key) % 10_000) for key in active for day in range(28)}
    keys = list(zip(weights.merchant.tolist(), weights.day.tolist(), weights.zone.tolist(), strict=True))
    assert keys == sorted(expected)
    total = np.bincount(weights.merchant * 28 + weights.day, weights.p_group)
    assert np.abs(total[total > 0] - 1).max() < 1e-12


def test_group_weights_are_regularised(demo_world: BuiltWorld) -> None:
    weights = make_group_weights(demo_world.rows, 28, demo_world.draws, 42)
    day = weights.merchant * 28 + weights.day
    several = np.bincount(day)[day] > 1
    entropy = np.bincount(day, -weights.p_group * np.log(weights.p_group))
    assert weights.p_group[several].max() <= 0.68 + 1e-12
    assert entropy[np.unique(day[several])].min() > 0.62


def test_gamma_has_the_published_quantiles(reference_world: BuiltWorld) -> None:
    weights = make_group_weights(reference_world.rows, 90, reference_world.draws, 42)
    got = np.quantile(weights.gamma, [0.1, 0.25, 0.5, 0.75, 0.9])
    assert np.abs(got - [0.851, 0.916, 0.993, 1.077, 1.158]).max() < 0.004
    other = make_group_weights(reference_world.rows, 90, reference_world.draws, 7)
    assert not np.array_equal(weights.gamma, other.gamma)
