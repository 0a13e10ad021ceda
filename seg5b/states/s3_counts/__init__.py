"""S3: how many arrivals each series has in each bucket. Law L6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seg5b.context import ScenarioWork, StateWork
from seg5b.errors import DomainError
from seg5b.evidence import keep_log, refuse_other_form, write_audit, write_trace
from seg5b.parts import FinishedPart, write_parts
from seg5b.policy import CountPolicy, RngPolicy
from seg5b.states.s3_counts.counting import CountMaker, open_counts, open_policies
from seg5b.states.s3_counts.events import count_log


def run(state: StateWork) -> dict[str, Any]:
    """Write ``s3_bucket_counts_5B`` and the trace of every scenario.

    Returns the facts of the run record. Raises with ``5B.S3.``: ``S1_OUTPUT_MISSING``, ``S2_OUTPUT_MISSING``,
    ``COUNT_CONFIG_INVALID``, ``DOMAIN_ALIGN_FAILED``, ``COUNTS_NUMERIC_INVALID``, ``RNG_ACCOUNTING_MISMATCH``, and what
    publication raises.
    """
    refuse_other_form(state)
    policy, rng = open_policies(state)
    write_audit(state)
    details = state.reached.details
    for scenario_id in state.reached.each(state.gate.scenario_ids):
        work = ScenarioWork.open(state, scenario_id, missing="S1_OUTPUT_MISSING")
        refuse_shared_domains(work, rng)
        details[scenario_id] = _count(work, policy, rng)
    return _report(details)


def refuse_shared_domains(work: ScenarioWork, rng: RngPolicy) -> None:
    """Raise `DomainError` ``DOMAIN_ALIGN_FAILED`` if two series would share a random stream: under
    ``merchant_zone_bucket`` a (merchant, zone) may have one channel group only."""
    if rng.bucket_key_law != "merchant_zone_bucket":
        return
    axis = work.axis
    shared = (axis.merchant_id[1:] == axis.merchant_id[:-1]) & (axis.zone[1:] == axis.zone[:-1])
    if shared.any():
        at = int(np.flatnonzero(shared)[0])
        raise DomainError(
            work.code("DOMAIN_ALIGN_FAILED"),
            f"series {axis.key(at)} and {axis.key(at + 1)} share a random stream",
            where="s1_grouping_5B",
            remedy="use the domain key law merchant_zone_channel_bucket for all S3 and S4 families, then reseal",
        )


def _count(work: ScenarioWork, policy: CountPolicy, rng: RngPolicy) -> dict[str, Any]:
    maker = CountMaker(work, policy, rng)
    parts = write_parts(work, maker, open_counts, "s3_bucket_counts_5B", label="counts", unit="cells")
    trace = [row for part in parts for row in part.trace]
    write_trace(work, trace)
    if work.state.tuning.event_logs:
        keep_log(count_log(work, policy, rng), trace)
    return _details(work, parts)


def _details(work: ScenarioWork, parts: Sequence[FinishedPart]) -> dict[str, Any]:
    sums, trace = [part.sums for part in parts], [row for part in parts for row in part.trace]
    return {
        "bucket_count": work.grid.bucket_count,
        "group_count": len(work.axis.groups),
        "count_rows": sum(part["rows"] for part in sums),
        "sum_count_N": sum(part["count_sum"] for part in sums),
        "count_min": min(part["count_min"] for part in sums),
        "count_max": max(part["count_max"] for part in sums),
        "mu_min": min(part["mu_min"] for part in sums),
        "mu_max": max(part["mu_max"] for part in sums),
        "count_capped": sum(part["capped"] for part in sums),
        "count_rng_event_count": sum(part["events"] for part in sums),
        "count_rng_total_draws": sum(row.draws for row in trace),
        "count_rng_total_blocks": sum(row.blocks for row in trace),
        "ordering_violations": 0,  # rows are made in canonical order, and S4 refuses any other
    }


def _report(details: dict[str, dict[str, Any]]) -> dict[str, Any]:
    every = list(details.values())
    report: dict[str, Any] = {
        "total_rows_written": sum(facts["count_rows"] for facts in every),
        "total_bucket_count": sum(facts["bucket_count"] for facts in every),
        "total_group_count": sum(facts["group_count"] for facts in every),
    }
    for name in (
        "sum_count_N",
        "count_capped",
        "count_rng_event_count",
        "count_rng_total_draws",
        "count_rng_total_blocks",
    ):
        report[name] = sum(facts[name] for facts in every)
    for name in ("count_min", "mu_min"):
        report[name] = min(facts[name] for facts in every)
    for name in ("count_max", "mu_max"):
        report[name] = max(facts[name] for facts in every)
    return {**report, "details": details}
