"""S4: one row per arrival, in time order per merchant, with clocks and a site or edge. Law L7."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from seg5b_kernels.arrivals import PHYSICAL, VIRTUAL
from seg5b_kernels.derivation import Streams

from seg5b.axes import SeriesAxis, TimeGrid, read_axes
from seg5b.backends.base import Array
from seg5b.clocks import TzCache, read_tz_cache
from seg5b.context import Stage
from seg5b.errors import DomainError, InputError, PolicyError
from seg5b.evidence import EventRows, write_audit, write_bucket_events, write_trace
from seg5b.expansion import Blocks, Census, Realiser, RouteTables, take_census
from seg5b.expansion.anomalies import Anomaly
from seg5b.expansion.blocks import Load
from seg5b.expansion.finished import FinishedParts, parts_key
from seg5b.expansion.realise import Family, RowCounts
from seg5b.expansion.spending import DRAWS_PER_EVENT, blocks_drawn
from seg5b.expansion.summary import VirtualCounts, write_anomalies, write_summary
from seg5b.expansion.tables import RouteTableBuilder, RoutingWorld
from seg5b.expansion.writing import ArrivalWriter
from seg5b.frames.base import array
from seg5b.inputs.edges import read_catalogue, read_edge_tables
from seg5b.inputs.groups import read_groups
from seg5b.inputs.profile import read_profile, read_virtual_modes
from seg5b.inputs.settlement import read_settlement
from seg5b.inputs.sites import read_sites
from seg5b.policy import AliasLayoutPolicy, PlacementPolicy, RngPolicy, RoutingPolicy
from seg5b.policy.rng import EDGE_PICK, EDGE_TEMPER, SITE_PICK, TIME_JITTER
from seg5b.publish import sha256_file
from seg5b.resources import code_digest
from seg5b.rng.device import stream_source
from seg5b.tables.formats import encoder_version
from seg5b.tables.reading import Kind

INPUTS = (
    "site_timezones",
    "s1_site_weights",
    "s4_group_weights",
    "virtual_classification_3B",
    "edge_catalogue_3B",
    "edge_alias_index_3B",
    "edge_alias_blob_3B",
    "edge_universe_hash_3B",
    "merchant_zone_profile_5A",
    "tz_timetable_cache",
)
OPTIONAL_INPUTS = ("virtual_settlement_3B",)


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies that steer S4."""

    placement: PlacementPolicy
    routing: RoutingPolicy
    rng: RngPolicy
    layout: AliasLayoutPolicy


def run(stage: Stage) -> dict[str, Any]:
    """Write ``arrival_events_5B``, ``s4_arrival_summary_5B``, ``s4_arrival_anomalies_5B`` and the trace.

    Returns the facts of the run record. Raises with ``5B.S4.``: ``INPUTS_MISSING`` (anything routing needs and the
    world lacks), ``TIME_POLICY_INVALID``, ``ROUTING_POLICY_INVALID``, ``RNG_POLICY_INVALID``, ``DOMAIN_ALIGN_FAILED``,
    ``RNG_ACCOUNTING_MISMATCH``.
    """
    code = stage.code("INPUTS_MISSING")
    for artifact in INPUTS:
        stage.gate.require(artifact, code=code)
        stage.gate.verify(artifact)
    policies = Policies(
        stage.policy(PlacementPolicy, "arrival_time_placement_policy_5B"),
        stage.policy(RoutingPolicy, "arrival_routing_policy_5B"),
        stage.policy(RngPolicy, "arrival_rng_policy_5B"),
        stage.policy(AliasLayoutPolicy, "alias_layout_policy_v1"),
    )
    if stage.tuning.event_logs and policies.routing.edge_temper.enabled:
        raise PolicyError(
            stage.code("ROUTING_POLICY_INVALID"),
            "event logs do not cover edge tempering",
            where="arrival_routing_policy_5B",
            remedy="switch off virtual.edge_temper or run without event logs",
        )
    world = read_world(stage, policies)
    universe_hash = read_universe_hash(stage)
    write_audit(stage)
    details = {}
    for scenario_id in stage.gate.scenario_ids:
        totals = _realise_scenario(stage, scenario_id, world, policies, universe_hash)
        details[scenario_id] = totals
    return _report(details, policies)


def read_world(stage: Stage, policies: Policies) -> RoutingWorld:
    """Decode and check everything that routing looks up. Raises `InputError` ``INPUTS_MISSING``."""
    code, gate = stage.code("INPUTS_MISSING"), stage.gate
    settlement: dict[int, str] = {}
    for artifact in OPTIONAL_INPUTS:
        if gate.has(artifact):
            gate.verify(artifact)
            settlement = read_settlement(gate.files(artifact), code=code)
    catalogue = read_catalogue(gate.files("edge_catalogue_3B"), code=code)
    return RoutingWorld(
        read_virtual_modes(gate.files("virtual_classification_3B"), code=code),
        read_sites(gate.files("s1_site_weights"), gate.files("site_timezones"), code=code),
        read_edge_tables(
            catalogue,
            gate.path("edge_alias_index_3B"),
            gate.path("edge_alias_blob_3B"),
            policies.layout,
            policies.routing.edge_temper,
            code=code,
        ),
        read_groups(gate.files("s4_group_weights"), code=code),
        settlement,
        _cache(stage, code),
    )


def _cache(stage: Stage, code: str) -> TzCache:
    binaries = [file for file in stage.gate.files("tz_timetable_cache") if file.suffix == ".bin"]
    named = [file for file in binaries if file.name == "tz_cache_v1.bin"] or binaries[:1]
    if not named:
        raise InputError(
            code,
            "no .bin file in the time-zone cache",
            where=str(stage.gate.path("tz_timetable_cache")),
            remedy="compile the cache of 2A again",
        )
    cache = read_tz_cache(named[0], code=code)
    end_us = max(scenario.end_us for scenario in stage.gate.scenarios)
    reach_s = max(cache.newest_change_s(), _stated_coverage_s(stage))
    if end_us > reach_s * 1_000_000:
        raise InputError(
            code,
            f"the time-zone cache reaches to {np.datetime64(reach_s, 's')}Z, the scenarios to "
            f"{np.datetime64(end_us, 'us')}Z",
            where=str(named[0]),
            remedy="compile the cache with a later horizon in 2A",
        )
    return cache


def _stated_coverage_s(stage: Stage) -> int:
    """UTC second to which the cache's manifest says it is complete; far in the past if it says nothing."""
    manifests = [file for file in stage.gate.files("tz_timetable_cache") if file.suffix == ".json"]
    stated = [json.loads(file.read_bytes()).get("coverage_end_utc") for file in manifests]
    texts = [value.rstrip("Z") for value in stated if isinstance(value, str)]
    return max((int(np.datetime64(value, "s").astype(np.int64)) for value in texts), default=-(2**62))


def read_universe_hash(stage: Stage) -> str:
    """``universe_hash`` of ``edge_universe_hash_3B``, whose identity must be the run's."""
    code = stage.code("INPUTS_MISSING")
    payload = json.loads(stage.gate.sealed_bytes("edge_universe_hash_3B"))
    entry = stage.contracts.dictionary("5B").entry("edge_universe_hash_3B")
    where = str(stage.gate.path("edge_universe_hash_3B"))
    stage.contracts.validate(entry.schema_ref, payload, code=code, where=where)
    identity = stage.root.identity
    if payload["manifest_fingerprint"] != identity.manifest_fingerprint:
        raise InputError(code, "universe hash of another world", where=where, remedy="restore the file that 3B wrote")
    return str(payload["universe_hash"])


def _realise_scenario(
    stage: Stage, scenario_id: str, world: RoutingWorld, policies: Policies, universe_hash: str
) -> dict[str, Any]:
    code = stage.code("DOMAIN_ALIGN_FAILED")
    grid_file, grouping_file = (stage.path(name, scenario_id) for name in ("s1_time_grid_5B", "s1_grouping_5B"))
    grid, axis = read_axes(grid_file, grouping_file, code=code)
    _refuse_long_buckets(stage, scenario_id, grid, policies.placement)
    counts_file = stage.path("s3_bucket_counts_5B", scenario_id)
    census = take_census(stage, counts_file, grid, axis, policies.placement)
    builder = RouteTableBuilder(world, axis, grid, census, policies.routing, stage.code("INPUTS_MISSING"))
    tables = builder.build(stage.backend)
    load = _loader(stage, counts_file, grid, carry_lambda=policies.routing.carry_lambda)
    blocks = Blocks(stage.backend, axis, grid.bucket_count, census, load, keep=stage.tuning.encoders)
    families = _families(stage, scenario_id, axis, grid, census, tables, policies)
    realiser = Realiser(stage.backend, grid, blocks, tables, families)
    anomalies = builder.anomalies + class_conflicts(stage, axis, scenario_id)
    virtual = VirtualCounts(stage.folder / f"virtual-{scenario_id}.int32", tables.mode, grid.bucket_count)
    finished = _finished_parts(stage, scenario_id, (grid_file, grouping_file, counts_file), policies)
    writer = ArrivalWriter(stage, scenario_id, axis, realiser, world.cache, policies, virtual, finished, universe_hash)
    written = writer.write(stage.target("arrival_events_5B", scenario_id))
    rows, virtual_total = write_summary(stage, scenario_id, axis, counts_file, grid.bucket_count, virtual)
    write_anomalies(stage, scenario_id, anomalies)
    write_trace(stage, scenario_id, written.trace)
    if stage.tuning.event_logs:
        _write_events(stage, scenario_id, axis, realiser, virtual)
    return {
        "arrival_rows": census.arrivals,
        "arrivals_total": census.arrivals,
        "arrival_virtual": virtual_total,
        "bucket_rows": rows,
        "parts": written.parts,
        "anomalies": len(anomalies),
        "missing_group_weights": sum(a.code == "GROUP_WEIGHT_NOT_COVERED" for a in anomalies),
        "trace": written.trace,
    }


def _refuse_long_buckets(stage: Stage, scenario_id: str, grid: TimeGrid, placement: PlacementPolicy) -> None:
    if grid.bucket_seconds > placement.max_bucket_duration_seconds:
        raise DomainError(
            stage.code("TIME_POLICY_INVALID"),
            f"buckets of {grid.bucket_seconds} s, the policy allows {placement.max_bucket_duration_seconds}",
            where=scenario_id,
            remedy="shorten the buckets or raise max_bucket_duration_seconds",
        )


def _finished_parts(stage: Stage, scenario_id: str, files: tuple[Path, ...], policies: Policies) -> FinishedParts:
    """What an earlier process finished of this scenario, from the same inputs by the same code."""
    identity = stage.root.identity
    key = parts_key(
        {
            "code": code_digest(),
            "encoder": encoder_version(),
            "identity": [identity.seed, identity.parameter_hash, identity.manifest_fingerprint],
            "sealed": stage.gate.sealed_inputs_digest,
            "files": [sha256_file(file) for file in files],
        }
    )
    return FinishedParts(stage.kept_folder() / scenario_id, key, policies.rng)


def _loader(stage: Stage, file: Path, grid: TimeGrid, *, carry_lambda: bool) -> Load:
    """Reads the counts of some series, and their intensities only if the optional column wants them."""
    kinds = {"count_N": Kind.INTEGER, **({"lambda_realised": Kind.NUMBER} if carry_lambda else {})}
    code = stage.code("DOMAIN_ALIGN_FAILED")

    def load(first: int, stop: int) -> tuple[Array, np.ndarray | None]:
        span = (first * grid.bucket_count, stop * grid.bucket_count)
        columns = stage.frames.rows(file, *span, kinds, code=code)
        intensity = stage.backend.download(array(columns, "lambda_realised")) if carry_lambda else None
        return array(columns, "count_N"), intensity

    return load


def _families(
    stage: Stage,
    scenario_id: str,
    axis: SeriesAxis,
    grid: TimeGrid,
    census: Census,
    tables: RouteTables,
    policies: Policies,
) -> dict[str, Family]:
    """The streams of each family, for the series whose arrivals draw from it."""
    active, mode = census.active(), tables.mode
    may_be_virtual = active[mode[active] != PHYSICAL]
    drawing = {TIME_JITTER: active, SITE_PICK: active[mode[active] != VIRTUAL], EDGE_PICK: may_be_virtual}
    if policies.routing.edge_temper.enabled:
        drawing[EDGE_TEMPER] = may_be_virtual
    families = {}
    for family_id, series in drawing.items():
        source = stream_source(
            stage.backend, policies.rng, family_id, stage.root.identity, scenario_id, axis, series.tolist(),
            grid.bucket_count,
        )  # fmt: skip
        slot = np.full(len(axis), -1, np.int32)
        slot[series] = np.arange(series.size)
        families[family_id] = Family(source, stage.backend.upload(slot))
    return families


def _write_events(stage: Stage, scenario_id: str, axis: SeriesAxis, realiser: Realiser, virtual: VirtualCounts) -> None:
    """Event logs of every family that drew for this scenario, bucket rows in output order."""
    for family_id, family in realiser.families.items():

        def batches(family_id: str = family_id) -> Iterator[EventRows]:
            for rows, streams in _windows(stage, realiser, virtual):
                high, low = (stage.backend.download(column) for column in streams[family_id][1:])
                events = blocks_drawn(family_id, rows, realiser.tables.mode)
                yield EventRows(rows.series, rows.bucket, high, low, events)

        write_bucket_events(stage, scenario_id, family.source.family, axis, DRAWS_PER_EVENT[family_id], batches())


def _windows(
    stage: Stage, realiser: Realiser, virtual: VirtualCounts
) -> Iterator[tuple[RowCounts, Mapping[str, Streams]]]:
    """Every bucket row of the scenario once, with its streams, after all arrivals were realised."""
    download = stage.backend.download
    for block in realiser.blocks:
        position = block.position
        while position < block.stop:
            stop = min(position + stage.tuning.chunk_arrivals, block.stop)
            window = block.window(stage.backend, position, stop)
            series, bucket = download(window.rows.series), download(window.rows.bucket)
            count = np.diff(download(window.rows.start))
            yield RowCounts(series, bucket, count, virtual.of(series, bucket, count)), realiser.streams(window)
            position = window.position + window.slots


def class_conflicts(stage: Stage, axis: SeriesAxis, scenario_id: str) -> list[Anomaly]:
    """One anomaly per series whose country components differ in demand class (law L3)."""
    profile = read_profile(stage.gate.files("merchant_zone_profile_5A"), code=stage.code("INPUTS_MISSING"))
    classes: dict[tuple[int, str], set[str]] = {}
    for (merchant, _, tzid), demand_class in profile.demand_class.items():
        classes.setdefault((merchant, tzid), set()).add(demand_class)
    found = []
    for series in range(len(axis)):
        merchant, tzid, channel = axis.key(series)
        if len(classes.get((merchant, tzid), ())) > 1:
            context: dict[str, str | int | float] = {
                "merchant_id": str(merchant),
                "tzid": tzid,
                "channel_group": channel,
                "classes": ",".join(sorted(classes[merchant, tzid])),
                "taken": axis.groups[axis.group[series]].demand_class,
            }
            message = "countries of one series differ in demand class; the larger volume decides"
            found.append(Anomaly("DEMAND_CLASS_CONFLICT", "INFO", message, context))
    return found


def _report(details: dict[str, dict[str, Any]], policies: Policies) -> dict[str, Any]:
    def total(name: str) -> int:
        return sum(facts[name] for facts in details.values())

    spent: dict[str, dict[str, int]] = {"draws": {}, "blocks": {}, "events": {}}
    for facts in details.values():
        for row in facts.pop("trace"):
            for name, table in spent.items():
                label = row.family.substream_label
                table[label] = table.get(label, 0) + getattr(row, name)
    temper = policies.routing.edge_temper
    return {
        "total_rows_written": total("arrival_rows"),
        "total_arrivals": total("arrivals_total"),
        "total_virtual": total("arrival_virtual"),
        "total_bucket_rows": total("bucket_rows"),
        "rng_draws_total": spent["draws"],
        "rng_blocks_total": spent["blocks"],
        "rng_events_total": spent["events"],
        "tz_temper": {"enabled": temper.enabled, "top_k": temper.top_k, "redirect_p": temper.redirect_p},
        "details": details,
    }
