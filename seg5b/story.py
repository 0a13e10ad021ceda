"""What a state tells in the log of a run: what it is about to read and how, and what came of it (docs/laws#run-log).

Lines are for people; what scripts read is the run record, from whose facts the last lines are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from seg5b.contracts import load_json, load_yaml
from seg5b.gate import Gate, is_upstream_dataset
from seg5b.options import Options
from seg5b.policy import policy_version

Facts = Mapping[str, Any]


def settings_line(options: Options) -> str:
    """How work is cut: threads, chunk, memory, engine."""
    tuning, engine = options.tuning, options.engine
    chunk = "chosen by the backend" if tuning.chunk_arrivals is None else f"{tuning.chunk_arrivals:,} arrivals"
    told = f"engine {engine.name}, {tuning.threads} threads, {tuning.parts_at_once} parts at once, chunk {chunk}"
    told += f", {tuning.query_memory_gb:g} GB for queries"
    return told + (", with event logs" if tuning.event_logs else "") + (", anew" if options.recompute else "")


def input_lines(gate: Gate, reads: Iterable[str]) -> Iterator[str]:
    """A line for each sealed input among what a state may read (``*``: every policy): id, version of a policy, where it lies,
    and its digest as it was sealed. An upstream dataset that was not sealed is named, too."""
    policies = [name for name, row in gate.rows.items() if row.role == "policy"]
    for name in (each for read in reads for each in (policies if read == "*" else [read])):
        if gate.has(name):
            row = gate.rows[name]
            version = f" {_version(gate, name)}" if row.role == "policy" else ""
            yield f"reads {name}{version}: {gate.shown_place(name)}, sealed as {row.sha256_hex}"
        elif is_upstream_dataset(name):
            yield f"reads no {name}: it is optional, and there was none to seal"


def _version(gate: Gate, name: str) -> str:
    path = gate.path(name)
    load = load_json if path.suffix == ".json" else load_yaml
    return policy_version(load(path)) or "without version"


def outcome_lines(state_id: str, facts: Facts) -> Iterator[str]:
    """The numbers that a state came to, or had come to when it failed: a line for each scenario; of S0 and S5 for the run.

    Those of a state that was not run again are an earlier record's, which may be damaged or another release's: what it does not
    say is not told, and is no reason to stop (law L16).
    """
    try:
        yield from _outcome(state_id, facts)
    except (AttributeError, KeyError, TypeError, ValueError):
        yield "the record says no more of what came of it"


def _outcome(state_id: str, facts: Facts) -> Iterator[str]:
    if state_id in _OF_SCENARIO:
        for scenario_id, details in facts.get("details", {}).items():
            yield f"{scenario_id}: {_OF_SCENARIO[state_id](details)}"
    if state_id in _OF_RUN:
        yield from _OF_RUN[state_id](facts)


def _grid(facts: Facts) -> str:
    return (
        f"{facts['bucket_count']:,} buckets; {facts['grouping_row_count']:,} series of {facts['component_row_count']:,} "
        f"components in {facts['group_id_count']:,} groups, median {facts['median_members_per_group']:g} members, "
        f"{facts['multi_member_fraction']:.3f} of groups with several, the largest with {facts['max_group_share']:.4f} of all; "
        f"{facts['demand_class_conflicts']:,} series of several classes"
    )


def _field(facts: Facts) -> str:
    low, high = facts["lambda_realised_min"], facts["lambda_realised_max"]
    told = f"{facts['rows_written']:,} intensities, {low:g} to {high:g} a bucket"
    if "sigma_median" in facts:
        for name in ("sigma", "length_buckets"):
            least, most, middle = (facts[f"{name}_{which}"] for which in ("min", "max", "median"))
            told += f"; {name.replace('_', ' in ')} {least:.4g} to {most:.4g}, median {middle:.4g}"
    clipped = facts["factor_clip_min"] + facts["factor_clip_max"]
    return f"{told}; {clipped:,} factors clipped, {facts['lambda_max_clipped']:,} intensities capped"


def _counts(facts: Facts) -> str:
    return (
        f"{facts['sum_count_N']:,} arrivals in {facts['count_rows']:,} cells, at most {facts['count_max']:,} in one; "
        f"mean up to {facts['mu_max']:g}; {facts['count_capped']:,} capped; {facts['count_rng_total_draws']:,} draws"
    )


def _arrivals(facts: Facts) -> str:
    return (
        f"{facts['arrivals_total']:,} arrivals, {facts['arrival_virtual']:,} virtual, of {facts['bucket_rows']:,} bucket rows; "
        f"parts: {facts['parts']:,}; anomalies: {facts['anomalies']:,}, for want of group weights: "
        f"{facts['missing_group_weights']:,}"
    )


def _sealing(facts: Facts) -> Iterator[str]:
    named = ("required", "optional", "internal", "ignored"), ("dataset", "config", "validation")
    for key, names in zip(("sealed_inputs_row_count", "sealed_inputs_count"), named, strict=True):
        counts = {name: facts.get(f"{key}_{name}", 0) for name in names}
        yield "sealed: " + ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    yield f"optional and absent: {', '.join(facts.get('sealed_inputs_absent', ())) or 'none'}"


def _tempering(facts: Facts) -> Iterator[str]:
    temper = facts.get("tz_temper", {})
    if temper.get("enabled"):
        zones, merchants = ", ".join(temper["zones"]), f"{temper['merchants']:,}"
        yield f"tempering: {temper['redirect_p']:g} of the arrivals of {merchants} merchants at edges in {zones} go elsewhere"


def _validation(facts: Facts) -> Iterator[str]:
    checks = ", ".join(f"{count} {status}" for status, count in facts.get("checks", {}).items())
    if checks:
        yield f"checks ({facts['validation_mode']}): {checks}"
    for name in facts.get("warned", ()):
        yield f"warned: {name}"


_OF_RUN = {"S0": _sealing, "S4": _tempering, "S5": _validation}
_OF_SCENARIO = {"S1": _grid, "S2": _field, "S3": _counts, "S4": _arrivals}
