"""The main path: six states in order, each from what the earlier ones published to what it publishes itself.

Start at `STATES`, at the end of this page. Imports of what computes stand inside the functions that need it: a command
that only names states starts at once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seg5b.errors import RunError
from seg5b.options import EngineOptions, Options
from seg5b.session import RunResult, Session, State, attempt, carried, opened_gate, realise

if TYPE_CHECKING:
    from seg5b.backends.base import Backend
    from seg5b.contracts import ContractSource
    from seg5b.progress import Reporter
    from seg5b.runs.root import RunRoot
    from seg5b.validation.records import CheckResult

_log = logging.getLogger("seg5b")


def run_states(
    root: RunRoot,
    contracts: ContractSource,
    state_ids: Sequence[str],
    *,
    backend: Backend | None = None,
    reporter: Reporter | None = None,
    options: Options | None = None,
) -> RunResult:
    """Run states in order; the first failure ends the call. One process at a time may write to a run.

    What computes is ``backend``, else what ``options.compute`` says, chosen when the first state that draws asks for it.

    Every state leaves a run record, PASS or FAIL. Raises the `Seg5bError` of the state that failed, `RunError`
    ``5B.RUN.BUSY`` while another process works on the run, and before any state what `Computing.refuse_early` does.
    """
    from seg5b.computing import Computing
    from seg5b.engines import LocalEngine, open_engine
    from seg5b.gate import scenarios_of_run
    from seg5b.progress import Lines
    from seg5b.refusals import typed_failures
    from seg5b.runs.lock import exclusive
    from seg5b.runs.records import run_log

    options = options or Options()
    chosen = [state for state_id in state_ids for state in STATES if state.id == state_id]
    computing, drawing = Computing.of(options, backend), any(state.draws for state in chosen)
    computing.refuse_early(needed=drawing)
    threads = options.tuning.parts_at_once
    # workers that have a device each are as few as devices: who draws nothing is served by every core here
    local = LocalEngine(threads) if options.engine.devices else None
    shared = options.engine if drawing or local is None else EngineOptions()
    with (
        typed_failures("RUN", str(root.path)),
        exclusive(root),
        run_log(root),
        open_engine(shared, threads=threads) as engine,
    ):
        session = Session(root, contracts, computing, engine, reporter or Lines(), options)
        _log.info("run %s: %s", root.identity.run_id, ", ".join(state.id for state in chosen))
        results = tuple(
            attempt(session if state.draws or local is None else replace(session, engine=local), state)
            for state in chosen
        )
        scenarios = tuple(scenario.scenario_id for scenario in scenarios_of_run(root, contracts))
    run_id, seed = root.identity.run_id, root.identity.seed
    return RunResult(run_id, root.path, seed, scenarios, root.derived_from, computing.chosen(), results)


def states_between(first: str, last: str) -> tuple[str, ...]:
    """Ids of the states from ``first`` to ``last``, both included. Raises `RunError` ``5B.RUN.STATE_UNKNOWN``."""
    for state_id in (first, last):
        if state_id not in STATE_IDS:
            what, remedy = f"{state_id!r} is no state", f"use one of {', '.join(STATE_IDS)}"
            raise RunError("5B.RUN.STATE_UNKNOWN", what, remedy=remedy)
    chosen = STATE_IDS[STATE_IDS.index(first) : STATE_IDS.index(last) + 1]
    if not chosen:
        raise RunError("5B.RUN.STATE_UNKNOWN", f"{first} comes after {last}", remedy="exchange --from and --to")
    return chosen


def seal_inputs(session: Session, state: State, facts: dict[str, Any]) -> None:
    """S0: verify upstream, judge the policies, seal."""
    from seg5b.gate import GateProgress, run_gate

    options, progress = session.options.gate, GateProgress()
    try:
        report = run_gate(
            session.root,
            session.contracts,
            depth=options.depth,
            note=lambda line: _log.info("S0: %s", line),
            warn=lambda line: _log.warning("S0: %s", line),
            progress=progress,
            set_aside=options.reseal,
            timers=session.timers,
        )
    except Exception:
        facts |= progress.summary()
        raise
    facts |= {"scenario_set": list(report.scenario_ids), "outcome": report.outcome.value, **report.summary}


def lay_grid(session: Session, state: State, facts: dict[str, Any]) -> None:
    """S1: time grid and groups."""
    from seg5b.states import s1_grid

    realise(session, state, s1_grid.run, facts)


def draw_fields(session: Session, state: State, facts: dict[str, Any]) -> None:
    """S2: latent fields and intensities."""
    from seg5b.states import s2_latent

    realise(session, state, s2_latent.run, facts)


def draw_counts(session: Session, state: State, facts: dict[str, Any]) -> None:
    """S3: bucket counts."""
    from seg5b.states import s3_counts

    realise(session, state, s3_counts.run, facts)


def expand_arrivals(session: Session, state: State, facts: dict[str, Any]) -> None:
    """S4: arrivals."""
    from seg5b.states import s4_arrivals

    realise(session, state, s4_arrivals.run, facts)


def validate_run(session: Session, state: State, facts: dict[str, Any]) -> None:
    """S5: every check, then the bundle or the report of a failure."""
    from seg5b.progress import StepProgress
    from seg5b.run_tables.part_tables import forget_scans
    from seg5b.validation import sealed_record, validate, validation_key

    def learn(results: Sequence[CheckResult], metrics: Mapping[str, Any]) -> None:
        facts["validation_mode"], facts["metrics"] = metrics["mode"], dict(metrics)
        facts["checks"] = dict(Counter(result.status.value for result in results))
        facts["warned"] = [result.check_id for result in results if result.status.value == "WARN"]

    gate, chosen, tuning = opened_gate(session, state), session.options.validation, session.options.tuning
    mode = chosen.mode
    facts |= {"sealed_inputs_digest": gate.sealed_inputs_digest, **({} if mode is None else {"validation_mode": mode})}
    key = validation_key(gate, mode)
    anew = session.options.recompute or chosen.rederive is not None
    found = None if anew else sealed_record(session.root, session.contracts, key)
    if found is not None:
        _log.info("S5: the bundle holds, and nothing that it follows from has changed")
        facts |= {**carried(found), "outcome": "unchanged", "recomputed": False}
        return
    if session.options.recompute:
        forget_scans(session.root, gate.scenario_ids)
    with StepProgress(session.reporter, "steps") as progress:
        outcome = validate(
            session.root,
            session.contracts,
            gate,
            mode=mode,
            rederive=chosen.rederive,
            threads=tuning.threads,
            engine=session.engine,
            memory_limit_gb=tuning.query_memory_gb,
            progress=progress,
            judged=learn,
            timers=session.timers,
        )
    learn(outcome.checks, outcome.metrics)
    failure = outcome.failure()
    if failure is not None:
        raise failure
    assert outcome.published is not None
    _log.info("S5: bundle %s %s", outcome.bundle_digest, outcome.bundle_path)
    facts |= {
        "outcome": outcome.published.value,
        "recomputed": True,
        "inputs_key": key,
        "bundle_digest": outcome.bundle_digest,
    }


EVERYTHING = ("*",)
"""S0 reads what `seg5b.gate.catalogue` lists, S5 what was sealed and what was published."""
_AXES = ("s1_time_grid_5B", "s1_grouping_5B")

STATES = (
    State(
        "S0",
        "verify the upstream bundles, check policies and seal the inputs",
        reads=EVERYTHING,
        writes=("s0_gate_receipt_5B", "sealed_inputs_5B", "sealed_content_5B"),
        run=seal_inputs,
    ),
    State(
        "S1",
        "lay the time grid of every scenario and group its series",
        reads=(
            "merchant_zone_profile_5A",
            "virtual_classification_3B",
            "merchant_zone_scenario_local_5A",
            "time_grid_policy_5B",
            "grouping_policy_5B",
        ),
        writes=("s1_time_grid_5B", "s1_grouping_5B"),
        run=lay_grid,
    ),
    State(
        "S2",
        "draw latent log-Gaussian fields and realise the intensities",
        reads=(
            "merchant_zone_profile_5A",
            "merchant_zone_scenario_local_5A",
            "arrival_lgcp_config_5B",
            "arrival_rng_policy_5B",
            *_AXES,
        ),
        writes=("s2_realised_intensity_5B", "rng_audit_log", "rng_trace_log", "s2_latent_field_5B"),
        run=draw_fields,
        draws=True,
    ),
    State(
        "S3",
        "draw the number of arrivals of every series and bucket",
        reads=("arrival_count_config_5B", "arrival_rng_policy_5B", *_AXES, "s2_realised_intensity_5B"),
        writes=("s3_bucket_counts_5B", "rng_trace_log"),
        run=draw_counts,
        draws=True,
    ),
    State(
        "S4",
        "expand counts to arrivals with times, clocks, sites and edges",
        reads=(
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
            "virtual_settlement_3B",
            "arrival_time_placement_policy_5B",
            "arrival_routing_policy_5B",
            "arrival_rng_policy_5B",
            "alias_layout_policy_v1",
            *_AXES,
            "s3_bucket_counts_5B",
        ),
        writes=("arrival_events_5B", "s4_arrival_summary_5B", "s4_arrival_anomalies_5B", "rng_trace_log"),
        run=expand_arrivals,
        draws=True,
    ),
    State(
        "S5",
        "validate everything that was published and seal it in a bundle",
        reads=EVERYTHING,
        writes=("validation_bundle_5B",),
        run=validate_run,
    ),
)
STATE_IDS = tuple(state.id for state in STATES)
