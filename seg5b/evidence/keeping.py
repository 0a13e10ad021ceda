"""Event logs that a state keeps while it runs, opt-in: written, reconciled with the trace, and held against their contract
(law L10)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seg5b.context import StateWork
from seg5b.contracts import EVENTS
from seg5b.errors import EvidenceError, InputError, PublishError
from seg5b.evidence.events import EventLog, dataset_of, write_log
from seg5b.evidence.trace import TraceRow
from seg5b.options import EVENT_FORMS
from seg5b.tables import file_metadata
from seg5b.tables.formats import RNG_EVENTS
from seg5b.tables.records import read_records, record_sink

FIRST_CHECKED, SAMPLE_CHECKED = 1000, 1000
"""Records of a log that are held against the contract: the first, and about so many spread over the others."""


def log_file(form: str) -> str:
    """Name of the one file of a family and scenario."""
    return f"part-000000.{form}"


def refuse_other_form(state: StateWork) -> None:
    """Raise `PublishError` ``IO_WRITE_CONFLICT`` where logs are asked for, and some are published in another form: S5 would
    find both; `InputError` ``EVENT_FORM_UNKNOWN`` for what is none of `EVENT_FORMS`."""
    form = state.tuning.event_logs
    if form is None:
        return
    if form not in EVENT_FORMS:
        code, what = state.code("EVENT_FORM_UNKNOWN"), f"event logs have no form {form!r}"
        raise InputError(
            code, what, where="Tuning.event_logs", remedy=f"choose among {', '.join(EVENT_FORMS)}, or None"
        )
    for dataset_id in (name for name in state.contracts.dictionary("5B").entries if name.startswith(EVENTS)):
        for other in (each for each in EVENT_FORMS if each != form):
            found = next(state.path(dataset_id).glob(f"*/{log_file(other)}"), None)
            if found is not None:
                raise PublishError(
                    state.code("IO_WRITE_CONFLICT"),
                    f"event logs are published as {other}, and asked for as {form}",
                    where=found.relative_to(state.root.path).as_posix(),
                    remedy=f"ask for --event-logs {other}, or start again with `seg5b s0 --reseal`; "
                    f"`seg5b events --format {form}` writes them elsewhere",
                )


def keep_log(log: EventLog, trace: Sequence[TraceRow]) -> None:
    """Write a log in the form that was asked for, one file per scenario, so that no scenario overwrites another's. ``trace``:
    rows of the scenario, the family's among them.

    Raises `EvidenceError` ``RNG_ACCOUNTING_MISMATCH`` where events, draws or blocks are not those of the trace,
    ``RNG_EVENT_INVALID`` where a record does not fit its contract.
    """
    state, form = log.work.state, log.work.state.tuning.event_logs
    assert form is not None
    dataset_id = dataset_of(log.family)
    target = state.target(dataset_id, None, f"scenario_id={log.work.scenario_id}", log_file(form))
    label = f"events {log.name} {log.work.scenario_id}"
    with (
        state.timers.lane("events"),
        state.reporter.track(label, log.size, log.unit) as advance,
        target.open("wb") as stream,
        record_sink(stream, form, RNG_EVENTS, file_metadata(state.root.identity)) as sink,
    ):
        events = write_log(log, sink, advance)
    _reconcile(log, events, trace)
    with state.timers.lane("events_check"):
        _check_records(log, target, events)


def _reconcile(log: EventLog, events: int, trace: Sequence[TraceRow]) -> None:
    """Compare with what the parts counted while they drew."""
    rows = [row for row in trace if row.family == log.family]
    counted = tuple(sum(getattr(row, name) for row in rows) for name in ("events", "draws", "blocks"))
    written = (events, events * log.draws, events * log.blocks)
    if written != counted:
        raise EvidenceError(
            log.work.code("RNG_ACCOUNTING_MISMATCH"),
            f"the log of {log.name} has {written} events, draws and blocks, the trace {counted}",
            where=log.work.scenario_id,
            remedy="run the state again without event logs, and report this",
        )


def _check_records(log: EventLog, file: Path, events: int) -> None:
    """Read records back and hold them against the contract: all, or the first and a sample of the others."""
    state, code = log.work.state, log.work.code("RNG_EVENT_INVALID")
    schema_ref = state.contracts.dictionary("5B").entry(dataset_of(log.family)).schema_ref
    step = 1 if state.tuning.event_check == "all" else max((events - FIRST_CHECKED) // SAMPLE_CHECKED, 1)
    for row, record in read_records(file, code=code, error=EvidenceError, first=FIRST_CHECKED, step=step):
        where = f"{log.name}, {log.work.scenario_id}, record {row + 1}"
        state.contracts.validate(schema_ref, record, code=code, where=where, error=EvidenceError)
