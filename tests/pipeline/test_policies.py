"""Every choice that a policy offers, against the oracle: the tiny world realised under other policies."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
import pyarrow.parquet as pq
import pytest

from seg5b.contracts import ContractSource
from seg5b.errors import DomainError
from seg5b.options import Options, Tuning
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot
from tests.oracle.randomness import World
from tests.oracle.walk import Law, wall_clock
from tests.pipeline.walking import choose, compare, path, rows
from tests.policies import Changes, change_policies

ALL = ("S0", "S1", "S2", "S3", "S4")
BASE = "baseline_v1"
SHIPPED_COIN = {"p_virtual_hybrid": 0.35, "coin_source": "arrival_site_pick.first_uniform"}
PLACEMENT = "arrival_time_placement_policy_5B"
ROUTING = "arrival_routing_policy_5B"


def _realise(root: RunRoot, policy: str, values: Mapping[str, object], options: Options | None = None) -> None:
    change_policies(root.path, {policy: values})
    run_states(root, ContractSource.packaged(), ALL, options=options)


def test_group_weights_pick_the_zone(world: RunRoot) -> None:
    """Defect D3: a hybrid's coin must not bias the group pick that follows it."""
    _realise(world, ROUTING, {"physical_router.tz_group_law": "group_weights_v1", "optional_columns.tz_group_id": True})
    walked = compare(world, BASE, choose(world, BASE, 3), Law(group_weights=True))
    moved = [a for a in walked if not a["is_virtual"] and a["operational"] != a["zone_representation"]]
    assert moved, "some arrival must leave the zone of its bucket"
    for row in rows(world, "arrival_events_5B", ["is_virtual", "tz_group_id", "tzid_primary"], BASE)[:5000]:
        assert row["tz_group_id"] == (None if row["is_virtual"] else row["tzid_primary"])


@pytest.fixture
def tempered(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, int]]:
    """(domain, block) of every draw that the oracle takes from the temper stream."""
    taken, words = set(), World.words

    def noting(self: World, family: str, domain: str, block: int) -> tuple[int, int]:
        if family == "S4.arrival_edge_temper.v1":
            taken.add((domain, block))
        return words(self, family, domain, block)

    monkeypatch.setattr(World, "words", noting)
    return taken


def test_busy_zones_are_tempered_with_draws_of_their_own(world: RunRoot, tempered: set[tuple[str, int]]) -> None:
    """Defects D4 and D19: tempering is a sealed policy, and its coin and new pick are declared draws, each of them logged."""
    weight: dict[str, float] = defaultdict(float)
    for row in sorted(rows(world, "edge_catalogue_3B", ["merchant_id", "edge_id", "tzid_operational", "edge_weight"]),
                      key=lambda row: (row["merchant_id"], row["edge_id"])):  # fmt: skip
        weight[row["tzid_operational"]] += row["edge_weight"]
    busy = frozenset(sorted(weight, key=lambda tzid: (-weight[tzid], tzid.encode()))[:5])
    temper = {"enabled": True, "top_k": 5, "redirect_p": 0.8}
    logged = Options(tuning=Tuning(event_logs="jsonl"))
    _realise(world, ROUTING, {f"virtual_router.edge_temper.{key}": value for key, value in temper.items()}, logged)
    chosen = choose(world, BASE)
    walked = compare(world, BASE, chosen, Law(busy=busy, redirect_p=0.8))
    virtual = Counter(arrival["operational"] in busy for arrival in walked if arrival["is_virtual"])
    assert virtual[False] > virtual[True] > 0
    trace = next(world.path.glob(f"logs/layer2/5B/rng/trace/*/*/*/state=S4/scenario_id={BASE}/*")).read_text()
    assert '"substream_label":"arrival_edge_temper"' in trace
    log = next(world.path.glob(f"logs/layer2/5B/rng/events/arrival_edge_temper/*/*/*/scenario_id={BASE}/*")).read_text()
    events = [event for event in map(json.loads, log.splitlines()) if event["merchant_id"] in dict(chosen)]
    domains = "merchant_id={merchant_id}|zone={zone_representation}|bucket_index={bucket_index}"
    assert len(events) == len(tempered) > 0
    assert {(domains.format(**event), event["arrival_index"]) for event in events} == tempered
    names = ("merchant_id", "bucket_index", "zone_representation", "arrival_index")
    order = [tuple(event[name] for name in names) for event in map(json.loads, log.splitlines())]
    assert order == sorted(order)


def test_settlement_may_be_the_primary_clock(world: RunRoot) -> None:
    _realise(world, ROUTING, {"virtual_router.primary_clock": "settlement"})
    walked = compare(world, BASE, choose(world, BASE), Law(settlement_is_primary=True))
    assert any(arrival["primary"] != arrival["operational"] for arrival in walked)


def test_arrivals_may_follow_their_intensity_within_a_bucket(world: RunRoot) -> None:
    """Law L17, `linear_v1`: every column of every arrival, with the optional column that is read the same way."""
    changes: Changes = {PLACEMENT: {"placement_kind": "linear_v1"}, ROUTING: {"optional_columns.lambda_realised": True}}
    change_policies(world.path, changes)
    run_states(world, ContractSource.packaged(), ALL)
    walked = compare(world, BASE, choose(world, BASE), Law(), linear=True)
    assert len({arrival["bucket_index"] for arrival in walked} & {0, 671}) > 0, "an end of the horizon has arrivals"


@pytest.mark.parametrize("groups", [False, True])
def test_channels_may_have_coins_of_their_own(world: RunRoot, groups: bool) -> None:
    """What is left of a channel's coin picks the group. Hybrid merchants of this world sell without a card present only."""
    shares = {"card_not_present": 0.7, "card_present": 0.0}
    drawn = {"physical_router.tz_group_law": "group_weights_v1"} if groups else {}
    _realise(world, ROUTING, {"hybrid_policy": {**SHIPPED_COIN, "virtual_share_profile": shares}, **drawn})
    hybrids = [(merchant, mode) for merchant, mode in choose(world, BASE, 3) if mode == "HYBRID"]
    walked = compare(world, BASE, hybrids, Law(p_of_channels=tuple(shares.items()), group_weights=groups))
    own = [arrival["is_virtual"] for arrival in walked if arrival["channel_group"] == "card_not_present"]
    assert 0.6 < sum(own) / len(own) < 0.8


@pytest.mark.parametrize("groups", [False, True])
def test_coins_may_follow_the_local_hour(world: RunRoot, groups: bool) -> None:
    """By the clock of the series' zone at the instant of the arrival, which changes within these four weeks; what is left of the
    hour's coin picks the group."""
    shares = tuple((5 * hour % 24) / 23 for hour in range(24))
    drawn: dict[str, object] = {"physical_router.tz_group_law": "group_weights_v1"} if groups else {}
    profile = {"card_not_present": list(shares), "card_present": 0.0}
    coins = {ROUTING: {"hybrid_policy": {**SHIPPED_COIN, "virtual_share_profile": profile}, **drawn}}
    linear: Changes = {} if groups else {PLACEMENT: {"placement_kind": "linear_v1"}}
    change_policies(world.path, {**coins, **linear})
    run_states(world, ContractSource.packaged(), ALL)
    hybrids = [(merchant, mode) for merchant, mode in choose(world, BASE, 3) if mode == "HYBRID"]
    law = Law(p_of_channels=(("card_not_present", shares), ("card_present", 0.0)), group_weights=groups)
    walked = compare(world, BASE, hybrids, law, linear=not groups)
    offsets = defaultdict(set)
    for arrival in walked:
        offsets[arrival["zone_representation"]].add(wall_clock(arrival["ts_us"], arrival["zone_representation"])[1])
    assert max(map(len, offsets.values())) == 2, "the clocks of some zone change"
    certain = {0: False, 19: True}  # hours of shares 0 and 1
    told = [
        arrival for arrival in walked if wall_clock(arrival["ts_us"], arrival["zone_representation"])[0].hour in certain
    ]
    assert told and all(
        arrival["is_virtual"] == certain[wall_clock(arrival["ts_us"], arrival["zone_representation"])[0].hour]
        for arrival in told
        if arrival["channel_group"] == "card_not_present"
    )


def test_channel_may_enter_the_domain_key(world: RunRoot) -> None:
    of_buckets = {f"families.{place}.domain_key_law": "merchant_zone_channel_bucket" for place in range(1, 6)}
    _realise(world, "arrival_rng_policy_5B", of_buckets)
    compare(world, BASE, choose(world, BASE), Law(channel_in_key=True))


def test_lambda_column_holds_the_bucket_intensity(world: RunRoot) -> None:
    """Defect D18: the column was constant zero."""
    _realise(world, ROUTING, {"optional_columns.lambda_realised": True})
    key = ["merchant_id", "zone_representation", "channel_group", "bucket_index", "lambda_realised"]
    expected = {
        tuple(row[k] for k in key[:4]): row["lambda_realised"]
        for row in rows(world, "s2_realised_intensity_5B", key, BASE)
    }
    arrivals = rows(world, "arrival_events_5B", key, BASE)
    assert arrivals
    assert all(row["lambda_realised"] == expected[tuple(row[k] for k in key[:4])] > 0.0 for row in arrivals)


def test_summary_counts_both_routes(world: RunRoot) -> None:
    """Defect D18: summary and anomalies were never written."""
    run_states(world, ContractSource.packaged(), ALL)
    key = ["merchant_id", "zone_representation", "channel_group", "bucket_index"]
    counted: Counter[tuple[object, ...]] = Counter()
    for row in rows(world, "arrival_events_5B", [*key, "is_virtual"], BASE):
        counted[(*(row[k] for k in key), row["is_virtual"])] += 1
    summary = rows(world, "s4_arrival_summary_5B", [*key, "count_N", "count_physical", "count_virtual"], BASE)
    for row in summary:
        domain = tuple(row[k] for k in key)
        assert row["count_physical"] == counted[(*domain, False)]
        assert row["count_virtual"] == counted[(*domain, True)]
        assert row["count_N"] == row["count_physical"] + row["count_virtual"]
    assert sum(row["count_N"] for row in summary) == sum(counted.values())
    assert path(world, "s4_arrival_anomalies_5B", BASE).exists()


def test_latent_diagnostic_has_real_moments(world: RunRoot) -> None:
    """Defect D20: mean and deviation were constant zero."""
    _realise(world, "arrival_lgcp_config_5B", {"diagnostics.emit_latent_field_diagnostic": True})
    field = pq.read_table(path(world, "s2_latent_field_5B", BASE), partitioning=None).to_pandas()
    for _, group in field.groupby("group_id", observed=True):
        assert group.latent_mean.iloc[0] == pytest.approx(group.latent_value.mean(), abs=1e-12)
        assert group.latent_std.iloc[0] == pytest.approx(group.latent_value.std(ddof=0), rel=1e-12)
    assert field.latent_std.min() > 0.0


@pytest.mark.parametrize("model", ["none", "log_gaussian_iid_v1"])
def test_other_latent_models(world: RunRoot, model: str) -> None:
    kernel = {"kernel.kind": "iid_v1"} if model == "log_gaussian_iid_v1" else {}
    change_policies(world.path, {"arrival_lgcp_config_5B": {"latent_model_id": model, **kernel}})
    run_states(world, ContractSource.packaged(), ("S0", "S1", "S2"))
    table = pq.read_table(path(world, "s2_realised_intensity_5B", BASE), partitioning=None)
    factor = table.column("lambda_random_component").to_numpy().reshape(-1, 672)
    if model == "none":
        assert (factor == 1.0).all()
        assert not next(world.path.glob(f"logs/layer2/5B/rng/trace/*/*/*/state=S2/scenario_id={BASE}/*")).read_text()
    else:
        steps = np.log(factor)
        lag1 = np.mean([np.corrcoef(row[1:], row[:-1])[0, 1] for row in steps])
        assert abs(lag1) < 0.02


def test_poisson_counts_draw_once(world: RunRoot) -> None:
    _realise(world, "arrival_count_config_5B", {"count_law_id": "poisson"})
    counts = pq.read_table(path(world, "s3_bucket_counts_5B", BASE), partitioning=None)
    assert counts.column("kappa").null_count == counts.num_rows
    trace = next(world.path.glob(f"logs/layer2/5B/rng/trace/*/*/*/state=S3/scenario_id={BASE}/*")).read_text()
    assert '"draws_total":' in trace
    active = sum(mu > 1e-9 for mu in counts.column("mu").to_pylist())
    assert f'"draws_total":{active},' in trace


def test_two_channels_of_a_zone_are_refused_under_the_shipped_key_law(world: RunRoot) -> None:
    """Law L4: two series must never share a random stream."""
    for scenario in (BASE, "stress_peak_online_v1"):
        file = path(world, "merchant_zone_scenario_local_5A", scenario)
        table = pq.ParquetFile(file).read()
        keys = table.select(["merchant_id", "legal_country_iso", "tzid"]).to_pylist()
        zones: dict[tuple[int, str], set[str]] = defaultdict(set)
        for key in keys:
            zones[key["merchant_id"], key["tzid"]].add(key["legal_country_iso"])
        merchant, tzid = min(key for key, countries in zones.items() if len(countries) > 1)
        country = min(zones[merchant, tzid])
        channel = table.column("channel_group").to_pylist()
        other = {"card_present": "card_not_present"}
        changed = [
            other.get(channel[row], "card_present")
            if (k["merchant_id"], k["tzid"], k["legal_country_iso"]) == (merchant, tzid, country)
            else channel[row]
            for row, k in enumerate(keys)
        ]
        position = table.schema.get_field_index("channel_group")
        pq.write_table(table.set_column(position, "channel_group", [changed]), file)
    with pytest.raises(DomainError) as caught:
        run_states(world, ContractSource.packaged(), ALL)
    assert caught.value.code == "5B.S3.DOMAIN_ALIGN_FAILED"
