"""Sizes, volumes and grouping of the presets: what was asked for is there, and the shipped guardrails hold."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from statistics import median

import numpy as np
import pytest
import yaml

from seg5b.errors import WorldError
from seg5b.resources import resource_root
from seg5b.tzdb import open_tzdb
from seg5b.world.edges import make_edges
from seg5b.world.geography import load_geography
from seg5b.world.presets import BASELINE, PRESETS
from seg5b.world.shares import apportion, apportion_within, gini, pick
from seg5b.world.vocabulary import CHANNELS, CLASSES, MODES, channel_code
from seg5b.world.world import BuiltWorld, build_world

GUARDED = ["demo_classic", "small_classic", "reference_classic"]


@pytest.fixture(scope="session", params=GUARDED)
def world(request: pytest.FixtureRequest) -> BuiltWorld:
    return build_world(PRESETS[request.param], unique_keys=False)


def policy(name: str) -> dict:
    return yaml.safe_load((resource_root() / "config/layer2/5B" / f"{name}_5B.yaml").read_text())


def group_sizes(world: BuiltWorld, scenario: str) -> Counter[tuple]:
    """Rows of each group, by the law of docs/laws#group-ids, keyed by (class, channel, band, zone group, bucket)."""
    sizes: Counter[tuple] = Counter()
    rows = world.rows
    for merchant, zone, code in zip(rows.merchant, rows.zone, rows.class_code, strict=True):
        tzid = world.geography.tzids[zone]
        group = f"zg{hashlib.sha256(f'5B.zone_group|{tzid}'.encode()).digest()[0] % 16:02d}"
        band = "physical" if MODES[world.merchants.mode_code[merchant]] == "NON_VIRTUAL" else "virtual"
        channel = CHANNELS[channel_code(CLASSES[world.merchants.class_code[merchant]])]
        stratum = (CLASSES[code], channel, band, group)
        message = "|".join(("5B.group", scenario, *stratum, str(world.merchants.id[merchant])))
        bucket = int.from_bytes(hashlib.sha256(message.encode()).digest()[:8], "big") % 32
        sizes[(*stratum, bucket)] += 1
    return sizes


def test_grouping_guardrails(world: BuiltWorld) -> None:
    for scenario in world.plan.scenarios:
        sizes = list(group_sizes(world, scenario).values())
        assert 100 <= len(sizes) <= 50_000
        assert median(sizes) >= 3
        assert max(sizes) / sum(sizes) <= 0.02
        assert sum(size > 1 for size in sizes) / len(sizes) >= 0.70


def test_latent_and_count_floors(world: BuiltWorld) -> None:
    lgcp, count = policy("arrival_lgcp_config"), policy("arrival_count_config")
    text = (repr(lgcp), repr(count))
    assert "office_hours" in text[0] and "office_hours" in text[1]
    # Multipliers as shipped (docs/laws#shipped-policies): sigma, correlation length, kappa.
    laws = {
        "consumer_daytime": (1.0, 1.0, 1.0), "online_24h": (1.10, 0.90, 0.85), "online_bursty": (1.60, 0.50, 0.40),
        "evening_weekend": (1.05, 0.95, 0.90), "fuel_convenience": (1.05, 0.85, 0.95), "office_hours": (0.85, 1.2, 1.1),
        "bills_utilities": (0.90, 1.10, 1.20), "travel_hospitality": (1.15, 0.80, 0.80),
    }  # fmt: skip
    for scenario in world.plan.scenarios:
        sigma_base, length_base, kappa_base = (0.25, 24, 30) if scenario == BASELINE else (0.40, 12, 12)
        groups = list(group_sizes(world, scenario))
        sigma, length, kappa = [], [], []
        for name, channel, band, *_ in groups:
            s, length_factor, k = laws[name]
            channel_factor = {"card_present": 1.0, "card_not_present": 1.10}[channel]
            sigma.append(round(sigma_base * s * channel_factor * (1.15 if band == "virtual" else 1.0), 6))
            length.append(length_base * length_factor)
            kappa.append(round(kappa_base * k, 6))
        if scenario == BASELINE:
            assert len(set(sigma)) >= 3
            assert 8 <= median(length) <= 72
            assert len(set(kappa)) >= 3
            assert 10 <= median(kappa) <= 80
        else:
            assert np.mean(np.array(sigma) >= 0.35) >= 0.10


def test_row_counts_are_those_asked_for(world: BuiltWorld) -> None:
    preset, rows = world.plan, world.rows
    assert len(rows) == preset.country_rows
    extra = int(preset.mixed_class_series)  # that series has one active row more, a tail
    roles = np.bincount(rows.role[rows.weekly > 0], minlength=3)
    assert roles.tolist() == [preset.primary_rows, preset.secondary_rows, preset.tail_rows + extra]
    assert world.merchants.id.size == preset.merchants == np.unique(rows.merchant).size
    assert rows.weekly.sum() == pytest.approx(preset.weekly_total)


def test_rows_are_sorted_and_unique(world: BuiltWorld) -> None:
    rows, geography = world.rows, world.geography
    keys = [
        (int(world.merchants.id[m]), geography.countries[c], geography.tzids[z])
        for m, c, z in zip(rows.merchant, rows.country, rows.zone, strict=True)
    ]
    assert keys == sorted(set(keys))


def test_every_active_series_of_a_physical_merchant_has_a_site(world: BuiltWorld) -> None:
    rows = world.rows
    needs = (rows.weekly > 0) & (world.merchants.mode_code[rows.merchant] != MODES.index("VIRTUAL_ONLY"))
    assert (world.site_counts[needs] >= 1).all()
    assert (world.site_counts[~needs] == 0).all()
    assert world.sites.row.size == world.site_counts.sum()


def test_several_countries_share_series(world: BuiltWorld) -> None:
    _, countries = np.unique(world.rows.series(), return_counts=True)
    made = np.bincount(countries)[1:]
    wanted = world.plan.component_keys
    assert made[1] == wanted[1]
    assert len(made) >= len(wanted) - 3


def test_reference_matches_its_component_histogram(reference_world: BuiltWorld) -> None:
    _, countries = np.unique(reference_world.rows.series(), return_counts=True)
    assert np.bincount(countries)[1:6].tolist()[1:] == [1468, 358, 91, 23]
    assert abs(countries.size - 13_849) < 200


def test_one_series_of_the_demo_mixes_classes_and_no_other_does(
    demo_world: BuiltWorld, reference_world: BuiltWorld
) -> None:
    for world, expected in ((demo_world, 1), (reference_world, 0)):
        classes: dict[int, set[int]] = {}
        active = world.rows.weekly > 0
        for series, code in zip(world.rows.series()[active], world.rows.class_code[active], strict=True):
            classes.setdefault(int(series), set()).add(int(code))
        assert sum(len(found) > 1 for found in classes.values()) == expected


def test_unique_keys_leave_one_country_per_series_and_all_the_volume() -> None:
    whole = build_world(PRESETS["small_classic"], unique_keys=False).rows
    single = build_world(PRESETS["small_classic"], unique_keys=True).rows
    assert np.unique(single.series()).size == len(single) == np.unique(whole.series()).size
    assert single.weekly.sum() == pytest.approx(whole.weekly.sum())
    assert (single.weekly > 0).sum() == np.unique(whole.series()[whole.weekly > 0]).size


def test_reference_volumes(reference_world: BuiltWorld) -> None:
    weekly = reference_world.merchants.weekly
    ordered = np.sort(weekly)[::-1]
    assert gini(weekly) == pytest.approx(0.668, abs=0.003)
    for count, share in ((9, 0.298), (44, 0.495), (89, 0.592)):
        assert ordered[:count].sum() / ordered.sum() == pytest.approx(share, abs=0.012)
    assert ordered[0] == pytest.approx(1_285_624, rel=0.02)


def test_virtual_merchants_are_online_and_hold_the_share(reference_world: BuiltWorld) -> None:
    merchants = reference_world.merchants
    virtual = merchants.mode_code > 0
    assert {CLASSES[code] for code in merchants.class_code[virtual]} == {"online_24h"}
    share = np.bincount(merchants.mode_code, merchants.weekly) / merchants.weekly.sum()
    assert 0.05 <= share[2] + 0.35 * share[1] <= 0.08
    assert share[1] > 0.05


def test_edges_keep_their_bounds(reference_world: BuiltWorld) -> None:
    world = reference_world
    edges = make_edges(world.plan, world.merchants, world.trade(), world.planet, world.draws, 42)
    counts = np.bincount(edges.merchant)[edges.virtual]
    assert counts.min() == 6
    assert 40 < counts.max() <= 58
    assert edges.weight.max() == pytest.approx(0.45)
    total = np.bincount(edges.merchant, edges.weight)[edges.virtual]
    assert np.abs(total - 1).max() < 1e-12


def test_a_country_without_zones_is_refused() -> None:
    with pytest.raises(WorldError, match="COUNTRY_UNKNOWN"):
        load_geography(open_tzdb(), ("DE", "XX"), 5)


def test_geography_reads_the_published_tables() -> None:
    geography = load_geography(open_tzdb(), ("DE", "US"), 4)
    berlin = geography.tzids.index("Europe/Berlin")
    assert (geography.latitude[berlin], geography.longitude[berlin]) == (52.5, pytest.approx(13 + 22 / 60))
    assert geography.tzids[geography.own[1][0]] == "America/New_York"
    assert len(geography.reach[0]) == 4
    buenos = geography.tzids.index("America/Argentina/Buenos_Aires")
    assert geography.latitude[buenos] < 0 and geography.longitude[buenos] < 0
    assert geography.distance_km[berlin, geography.tzids.index("Europe/Paris")] == pytest.approx(878, abs=10)


def test_apportion() -> None:
    assert apportion(10, np.array([1.0, 1.0, 1.0])).tolist() == [4, 3, 3]
    assert apportion_within(10, np.array([5.0, 1.0, 1.0]), np.array([3, 9, 9])).tolist() == [3, 4, 3]
    assert apportion_within(99, np.array([5.0, 1.0]), np.array([3, 2])).tolist() == [3, 2]


def test_pick_never_takes_a_weightless_entry() -> None:
    weights = np.array([0.0, 1.0, 0.0, 3.0, 0.0])
    assert [pick(weights, u) for u in (1e-12, 0.2499, 0.2501, 1 - 1e-12)] == [1, 1, 3, 3]


def test_the_world_does_not_depend_on_how_often_it_is_built() -> None:
    small = replace(PRESETS["demo_classic"], name="again")
    first, second = (build_world(small, unique_keys=False) for _ in range(2))
    assert np.array_equal(first.rows.weekly, second.rows.weekly)
    assert np.array_equal(first.sites.weight, second.sites.weight)
