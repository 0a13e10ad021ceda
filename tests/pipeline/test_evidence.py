"""Random-number evidence adds up exactly, and every logged event can be replayed (law L10)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.options import Options, Tuning
from seg5b.pipeline import run_states
from seg5b.resources import code_digest
from seg5b.runs.root import RunRoot
from tests.oracle.randomness import World
from tests.worlds import copy_run

SCENARIOS = ("baseline_v1", "stress_peak_online_v1")
FAMILY = {
    "latent_vector": "S2.latent_vector.v1",
    "bucket_count": "S3.bucket_count.v1",
    "arrival_time_jitter": "S4.arrival_time_jitter.v1",
    "arrival_site_pick": "S4.arrival_site_pick.v1",
    "arrival_edge_pick": "S4.arrival_edge_pick.v1",
}


@pytest.fixture(scope="module")
def logged(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> RunRoot:
    """The tiny world realised with event logs."""
    root = copy_run(tiny_world, tmp_path_factory.mktemp("logged"))
    states = ("S0", "S1", "S2", "S3", "S4")
    run_states(root, ContractSource.packaged(), states, options=Options(tuning=Tuning(event_logs="jsonl")))
    return root


def _lines(root: RunRoot, pattern: str) -> list[dict[str, Any]]:
    files = sorted(root.path.glob(f"logs/layer2/5B/rng/{pattern}"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def _column(root: RunRoot, folder: str, name: str, scenario: str) -> list[Any]:
    (place,) = root.path.glob(f"data/layer2/5B/{folder}/**/scenario_id={scenario}")
    return pq.read_table(place, columns=[name], partitioning=None).column(name).to_pylist()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_trace_totals_follow_from_the_outputs(logged: RunRoot, scenario: str) -> None:
    trace = _lines(logged, f"trace/*/*/*/state=*/scenario_id={scenario}/rng_trace_log.jsonl")
    totals: Counter[tuple[str, str]] = Counter()
    for row in trace:
        for name in ("events", "draws", "blocks"):
            totals[row["substream_label"], name] += row[f"{name}_total"]
    groups = len(set(_column(logged, "s1_grouping", "group_id", scenario)))
    buckets = len(_column(logged, "s1_time_grid", "bucket_index", scenario))
    assert totals["latent_vector", "events"] == groups
    assert totals["latent_vector", "draws"] == 2 * groups * buckets == 2 * totals["latent_vector", "blocks"]
    active = sum(mu > 1e-9 for mu in _column(logged, "s3_bucket_counts", "mu", scenario))
    assert totals["bucket_count", "events"] == active == totals["bucket_count", "blocks"]
    assert totals["bucket_count", "draws"] == 2 * active
    virtual = _column(logged, "arrival_events", "is_virtual", scenario)
    merchants = _column(logged, "arrival_events", "merchant_id", scenario)
    modes = pq.read_table(next(logged.path.glob("data/layer1/3B/virtual_classification/*/*")), partitioning=None)
    only = set(modes.filter(pc.field("virtual_mode") == "VIRTUAL_ONLY").column("merchant_id").to_pylist())
    sited = sum(merchant not in only for merchant in merchants)
    assert totals["arrival_time_jitter", "events"] == totals["arrival_time_jitter", "draws"] == len(virtual)
    assert (totals["arrival_site_pick", "events"], totals["arrival_site_pick", "draws"]) == (sited, 2 * sited)
    assert totals["arrival_edge_pick", "events"] == totals["arrival_edge_pick", "blocks"] == sum(virtual)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_event_logs_agree_with_the_trace(logged: RunRoot, scenario: str) -> None:
    trace = _lines(logged, f"trace/*/*/*/state=*/scenario_id={scenario}/rng_trace_log.jsonl")
    expected: Counter[str] = Counter()
    for row in trace:
        expected[row["substream_label"]] += row["events_total"]
    events = _lines(logged, f"events/*/*/*/*/scenario_id={scenario}/*.jsonl")
    assert Counter(event["substream_label"] for event in events) == expected
    assert all(event["blocks"] == -(-int(event["draws"]) // 2) for event in events)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_trace_s_counters_are_those_of_its_first_and_last_domain(logged: RunRoot, scenario: str) -> None:
    """Events are logged in the order of the output, parts cut it, and a substream's first part starts where its events
    do."""
    trace = _lines(logged, f"trace/*/*/*/state=S[34]/scenario_id={scenario}/rng_trace_log.jsonl")
    events = _lines(logged, f"events/*/*/*/*/scenario_id={scenario}/*.jsonl")
    for label in FAMILY.keys() - {"latent_vector"}:
        parts = [row for row in trace if row["substream_label"] == label]
        mine = [event for event in events if event["substream_label"] == label]
        for which, end in (("before", 0), ("after", -1)):
            names = (f"rng_counter_{which}_hi", f"rng_counter_{which}_lo")
            assert [parts[end][name] for name in names] == [mine[end][name] for name in names], (label, which)


def test_events_replay_and_fit_their_schema(logged: RunRoot) -> None:
    identity, contracts = logged.identity, ContractSource.packaged()
    for label, family in FAMILY.items():
        dataset = (
            "arrival_lgcp_gaussian"
            if label == "latent_vector"
            else f"arrival_{label}".replace("arrival_arrival", "arrival")
        )
        events = _lines(logged, f"events/{dataset}/*/*/*/scenario_id=baseline_v1/*.jsonl")
        entry = contracts.dictionary("5B").entry(f"rng_event_{dataset}")
        world = World(identity.manifest_fingerprint, identity.parameter_hash, identity.seed, "baseline_v1")
        assert events
        for event in events[:: max(len(events) // 50, 1)]:
            contracts.validate(entry.schema_ref, event, code="TEST", where=label)
            domain = f"group_id={event['group_id']}" if label == "latent_vector" else (
                f"merchant_id={event['merchant_id']}|zone={event['zone_representation']}|bucket_index={event['bucket_index']}"
            )  # fmt: skip
            _, base = world.stream(family, domain)
            before = event["rng_counter_before_hi"] << 64 | event["rng_counter_before_lo"]
            assert before == (base + event.get("arrival_index", 0)) % 2**128


def test_audit_is_written_once(logged: RunRoot) -> None:
    audit = _lines(logged, "audit/*/*/*/rng_audit_log.jsonl")
    assert len(audit) == 1
    assert audit[0]["build_commit"] == code_digest(), "it says which code drew"
    contracts = ContractSource.packaged()
    contracts.validate(
        contracts.dictionary("5B").entry("rng_audit_log").schema_ref, audit[0], code="TEST", where="audit"
    )
    trace = _lines(logged, "trace/*/*/*/state=S4/*/rng_trace_log.jsonl")
    contracts.validate(
        contracts.dictionary("5B").entry("rng_trace_log").schema_ref, trace[0], code="TEST", where="trace"
    )


def test_event_logs_change_no_data(logged: RunRoot, tiny_digests: dict[str, str]) -> None:
    assert dataset_digests(logged, ContractSource.packaged()) == tiny_digests
