"""S2: latent log-Gaussian fields and the intensities they modulate. Law L5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seg5b.context import ScenarioWork, StateWork
from seg5b.evidence import TraceRow, keep_log, refuse_other_form, write_audit, write_trace
from seg5b.parts import write_parts
from seg5b.policy import LgcpPolicy, RngPolicy
from seg5b.states.s2_latent.factors import write_latent
from seg5b.states.s2_latent.field import Field, draw_field, field_log, field_trace
from seg5b.states.s2_latent.intensities import IntensityMaker, open_intensities, open_policies


def run(state: StateWork) -> dict[str, Any]:
    """Write ``s2_realised_intensity_5B``, the optional ``s2_latent_field_5B`` and the trace of every scenario.

    Returns the facts of the run record. Raises with ``5B.S2.``: ``S1_OUTPUT_MISSING``, ``LAMBDA_SOURCE_MISSING``,
    ``LGCP_CONFIG_INVALID``, ``KERNEL_CONSTRUCTION_FAILED``, ``DOMAIN_ALIGN_FAILED``, ``REALISED_DOMAIN_INCOMPLETE``,
    ``REALISED_NUMERIC_INVALID``, ``BUCKET_SET_INCONSISTENT``, ``RNG_ACCOUNTING_MISMATCH``.
    """
    refuse_other_form(state)
    policy, rng = open_policies(state)
    write_audit(state)
    details = state.reached.details
    for scenario_id in state.reached.each(state.gate.scenario_ids):
        work = ScenarioWork.open(state, scenario_id, missing="S1_OUTPUT_MISSING")
        details[scenario_id] = _realise(work, policy, rng)
    return _report(details)


def _realise(work: ScenarioWork, policy: LgcpPolicy, rng: RngPolicy) -> dict[str, Any]:
    with work.state.timers.lane("field"):
        field = draw_field(work, policy, rng)
    maker = IntensityMaker(work, policy, rng, field)
    parts = write_parts(work, maker, open_intensities, "s2_realised_intensity_5B", label="intensities", unit="series")
    if field.latent is not None:
        write_latent(work, field.latent)
    trace = field_trace(work, rng, field)
    write_trace(work, trace)
    if work.state.tuning.event_logs:
        keep_log(field_log(work, rng, field), trace)
    return _details(work, field, trace, [part.sums for part in parts])


def _details(
    work: ScenarioWork, field: Field, trace: Sequence[TraceRow], sums: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    groups, buckets = len(work.axis.groups), work.grid.bucket_count
    return {
        "bucket_count": buckets,
        "group_count": groups,
        "rows_written": sum(part["rows"] for part in sums),
        "latent_values_total": len(field.counters) * buckets,
        "latent_rng_event_count": sum(row.events for row in trace),
        "latent_rng_total_draws": sum(row.draws for row in trace),
        "latent_rng_total_blocks": sum(row.blocks for row in trace),
        "lambda_realised_min": min(part["lambda_min"] for part in sums),
        "lambda_realised_max": max(part["lambda_max"] for part in sums),
        "factor_clip_min": field.clipped_low,
        "factor_clip_max": field.clipped_high,
        **field.parameters,
        "lambda_max_clipped": sum(part["lambda_max_clipped"] for part in sums),
    }


def _report(details: dict[str, dict[str, Any]]) -> dict[str, Any]:
    def total(name: str) -> int:
        return sum(facts[name] for facts in details.values())

    return {
        "total_rows_written": total("rows_written"),
        "total_group_count": total("group_count"),
        "total_bucket_count": total("bucket_count"),
        "total_latent_values": total("latent_values_total"),
        "latent_rng_event_count": total("latent_rng_event_count"),
        "latent_rng_total_draws": total("latent_rng_total_draws"),
        "latent_rng_total_blocks": total("latent_rng_total_blocks"),
        "lambda_realised_min": min(facts["lambda_realised_min"] for facts in details.values()),
        "lambda_realised_max": max(facts["lambda_realised_max"] for facts in details.values()),
        "factor_clip_min": total("factor_clip_min"),
        "factor_clip_max": total("factor_clip_max"),
        "lambda_max_clipped": total("lambda_max_clipped"),
        "details": details,
    }
