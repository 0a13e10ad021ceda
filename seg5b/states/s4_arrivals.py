"""S4: one row per arrival, in time order per merchant, with clocks and a site or edge. Law L7."""

from __future__ import annotations

from collections import Counter
from typing import Any

from seg5b.context import ScenarioWork, StateWork
from seg5b.evidence import TraceRow, keep_log, refuse_other_form, write_audit, write_trace
from seg5b.expansion.anomalies import class_conflicts
from seg5b.expansion.events import arrival_logs
from seg5b.expansion.hybrid import HybridRows, VirtualCounts
from seg5b.expansion.parts import PartMaker, open_parts
from seg5b.expansion.policies import ArrivalPolicies
from seg5b.expansion.scenario import Expansion
from seg5b.expansion.summary import write_anomalies, write_summary
from seg5b.expansion.world import RoutingWorld, open_world
from seg5b.parts import write_parts


def run(state: StateWork) -> dict[str, Any]:
    """Write ``arrival_events_5B``, ``s4_arrival_summary_5B``, ``s4_arrival_anomalies_5B`` and the trace.

    Returns the facts of the run record. Raises with ``5B.S4.``: ``INPUTS_MISSING`` (anything routing needs and the
    world lacks), ``TIME_POLICY_INVALID``, ``ROUTING_POLICY_INVALID``, ``RNG_POLICY_INVALID``, ``DOMAIN_ALIGN_FAILED``,
    ``RNG_ACCOUNTING_MISMATCH``.
    """
    refuse_other_form(state)
    policies, world = open_world(state)
    write_audit(state)
    details, traces = state.reached.details, list[TraceRow]()
    for scenario_id in state.reached.each(state.gate.scenario_ids):
        work = ScenarioWork.open(state, scenario_id, missing="DOMAIN_ALIGN_FAILED")
        details[scenario_id], trace = _expand(work, policies, world)
        traces += trace
    return _report(details, traces, policies, world)


def _expand(
    work: ScenarioWork, policies: ArrivalPolicies, world: RoutingWorld
) -> tuple[dict[str, Any], list[TraceRow]]:
    """Facts of a scenario, and the trace of its parts."""
    expansion = Expansion.open(work, policies, world)
    mode, buckets = expansion.realiser.tables.mode, work.grid.bucket_count
    virtual = VirtualCounts(work.state.folder / f"virtual-{work.scenario_id}.int32", mode, buckets)
    trace, parts = _write_arrivals(expansion, virtual)
    rows, virtual_total = write_summary(work, virtual)
    anomalies = expansion.anomalies + class_conflicts(work)
    write_anomalies(work, anomalies)
    for code, times in sorted(Counter(a.code for a in anomalies if a.severity == "WARN").items()):
        work.state.log.warning("%s: %s, %d times (s4_arrival_anomalies_5B says where)", work.scenario_id, code, times)
    write_trace(work, trace)
    if work.state.tuning.event_logs:
        for log in arrival_logs(expansion):
            keep_log(log, trace)
    arrivals = expansion.totals.arrivals
    facts = {
        "arrival_rows": arrivals,
        "arrivals_total": arrivals,
        "arrival_virtual": virtual_total,
        "bucket_rows": work.cells,
        "nonzero_bucket_rows": rows,
        "parts": parts,
        "anomalies": len(anomalies),
        "missing_group_weights": sum(a.code.startswith("GROUP_WEIGHT") for a in anomalies),
    }
    return facts, trace


def _write_arrivals(expansion: Expansion, virtual: VirtualCounts) -> tuple[list[TraceRow], int]:
    """Write all arrivals of a scenario, and enter their hybrid rows in ``virtual``; the trace of all parts in order, and
    how many there are."""
    work, maker = expansion.work, PartMaker(expansion)
    parts = write_parts(work, maker, open_parts, "arrival_events_5B", label="arrivals", unit="arrivals")
    for part in parts:
        virtual.keep(HybridRows.of(maker.kept.side(part.number)))
    return [row for part in parts for row in part.trace], len(parts)


def _report(
    details: dict[str, dict[str, Any]], traces: list[TraceRow], policies: ArrivalPolicies, world: RoutingWorld
) -> dict[str, Any]:
    def total(name: str) -> int:
        return sum(facts[name] for facts in details.values())

    spent: dict[str, dict[str, int]] = {"draws": {}, "blocks": {}, "events": {}}
    for row in traces:
        for name, table in spent.items():
            label = row.family.substream_label
            table[label] = table.get(label, 0) + getattr(row, name)
    return {
        "total_rows_written": total("arrival_rows"),
        "total_arrivals": total("arrivals_total"),
        "total_virtual": total("arrival_virtual"),
        "total_bucket_rows": total("bucket_rows"),
        "total_nonzero_bucket_rows": total("nonzero_bucket_rows"),
        "rng_draws_total": spent["draws"],
        "rng_blocks_total": spent["blocks"],
        "rng_events_total": spent["events"],
        "tz_temper": _tempering(policies, world),
        "details": details,
    }


def _tempering(policies: ArrivalPolicies, world: RoutingWorld) -> dict[str, Any]:
    """What the policy asks for; the zones from which arrivals are led away, and how many merchants can be (those with edges in
    them and elsewhere)."""
    temper, edges = policies.routing.edge_temper, world.edges
    return {
        "enabled": temper.enabled,
        "top_k": temper.top_k,
        "redirect_p": temper.redirect_p,
        "zones": sorted({tzid for tzid, busy in zip(edges.tzid, edges.is_busy.tolist(), strict=True) if busy}),
        "merchants": len(edges.plain_by_merchant),
    }
