"""Event records of a run, made again for any slice of it: start at `regenerate_events` (docs/laws#rng-events)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from seg5b.backends.base import Backend
from seg5b.computing import Computing
from seg5b.context import Replay, ScenarioWork, StateWork
from seg5b.contracts import ContractSource, dataset_files
from seg5b.engines import LocalEngine
from seg5b.errors import EvidenceError, InputError
from seg5b.evidence import EventChoice, EventLog
from seg5b.evidence.events import write_log
from seg5b.expansion.events import arrival_logs
from seg5b.expansion.scenario import Expansion
from seg5b.expansion.world import open_world
from seg5b.export.request import instant
from seg5b.export.targets import target_of
from seg5b.gate import open_gate, scenarios_of_run
from seg5b.hashing import remembered_sha256
from seg5b.options import EVENT_FAMILIES, EVENT_FORMS, EventForm, Options, Tuning
from seg5b.pipeline import STATES
from seg5b.progress import Reporter, Silent
from seg5b.run_tables.outputs import OUTPUT_TABLES
from seg5b.runs import RunRoot
from seg5b.runs.ledger import published_digests
from seg5b.states.s2_latent import intensities
from seg5b.states.s2_latent.field import draw_field, field_log
from seg5b.states.s3_counts import counting
from seg5b.states.s3_counts.events import count_log
from seg5b.tables import file_metadata
from seg5b.tables.formats import RNG_EVENTS
from seg5b.tables.records import record_sink


@dataclass(frozen=True, slots=True)
class EventRequest:
    """Which events, and where to. ``out``: a file, ``-`` or an ``s3://`` URL, never in a run; ``format``: one of `EVENT_FORMS`,
    None for what the name of ``out`` ends in, else lines. ``families``: names of logs (`EVENT_FAMILIES`), none for all;
    ``scenarios``: none for all; ``merchants`` and ``zones``: of series, none for all; ``since`` and ``until``: instants as
    `seg5b.export.request.instant` reads them, half-open."""

    out: str
    format: EventForm | None = None
    families: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    merchants: tuple[int, ...] = ()
    zones: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    overwrite: bool = False

    @property
    def form(self) -> EventForm:
        """The form that the records take."""
        if self.format is not None:
            return self.format
        return next((form for form in EVENT_FORMS if self.out.endswith(f".{form}")), EVENT_FORMS[0])

    def choice(self) -> EventChoice:
        """What is chosen of each log. Raises `InputError` ``5B.EVENTS.SPAN_EMPTY``, and as `instant`."""
        since, until = (None if text is None else _micros(text) for text in (self.since, self.until))
        if since is not None and until is not None and since >= until:
            what = f"nothing lies between {self.since} and {self.until}"
            raise InputError("5B.EVENTS.SPAN_EMPTY", what, remedy="name a later moment for --to")
        return EventChoice(frozenset(self.merchants), frozenset(self.zones), since, until)


@dataclass(frozen=True, slots=True)
class Regenerated:
    """``events`` written by (log, scenario), in the order in which they stand, and the ``form`` of the records."""

    events: dict[tuple[str, str], int]
    form: EventForm


def regenerate_events(
    root: RunRoot,
    contracts: ContractSource,
    request: EventRequest,
    *,
    backend: Backend | None = None,
    reporter: Reporter | None = None,
    options: Options | None = None,
) -> Regenerated:
    """Write the records that the chosen logs of a run hold, or would hold had it kept logs, line for line: state
    by state, scenario by scenario as the run has them, then in the order of `EVENT_FAMILIES`.

    Draws from the sealed inputs, which are compared with what was sealed, and from the series, intensities and counts that are
    published, which are compared with what their states recorded. Memory does not grow with the records; nothing is written
    into the run. ``options``: what computes (without a ``backend``) and ``chunk_arrivals`` are heeded.

    Raises `InputError` ``5B.EVENTS.SCENARIO_UNKNOWN``, ``5B.EVENTS.MERCHANT_UNKNOWN``, ``5B.EVENTS.ZONE_UNKNOWN``,
    `EvidenceError` ``5B.EVENTS.PUBLISHED_CHANGED``, as `EventRequest.choice`, as `seg5b.export.targets.target_of`, and what
    S2-S4 raise while they read; `BrokenPipeError` where stdout was closed.
    """
    options, choice, events = options or Options(), request.choice(), dict[tuple[str, str], int]()
    computing, reporter = Computing.of(options, backend), reporter or Silent()
    computing.refuse_early(needed=True)
    scenarios = _scenarios(root, contracts, request.scenarios)
    target = target_of(request.out, overwrite=request.overwrite, folder=False, binary=request.form == "parquet")
    with tempfile.TemporaryDirectory(prefix="seg5b_events_") as scratch:
        tools = _Tools(root, contracts, computing, reporter, options, Path(scratch), choice, scenarios)
        families = request.families or tuple(EVENT_FAMILIES)
        states = [state for state in ("S2", "S3", "S4") if any(EVENT_FAMILIES[name] == state for name in families)]
        works = {state: tools.open(state) for state in states}
        _refuse_unknown(works[states[0]], choice)
        with (
            target,
            closing(target.open("")) as stream,
            record_sink(stream, request.form, RNG_EVENTS, file_metadata(root.identity)) as sink,
        ):
            for state in states:
                for log in tools.logs(works[state]):
                    if log.name in families:
                        label = f"events {log.name} {log.work.scenario_id}"
                        with reporter.track(label, log.size, log.unit) as advance:
                            events[log.name, log.work.scenario_id] = write_log(log, sink, advance)
    return Regenerated(events, request.form)


@dataclass(frozen=True, slots=True)
class _Tools:
    root: RunRoot
    contracts: ContractSource
    computing: Computing
    reporter: Reporter
    options: Options
    folder: Path
    choice: EventChoice
    scenarios: tuple[str, ...]

    def open(self, state_id: str) -> list[ScenarioWork]:
        """The chosen scenarios of a state, whose published inputs are as they were recorded."""
        (state,) = (each for each in STATES if each.id == state_id)
        work = StateWork(
            state_id,
            state.reads,
            self.root,
            self.contracts,
            open_gate(self.root, self.contracts, state=state_id),
            self.computing,
            self.reporter,
            self.folder,
            LocalEngine(1),
            Tuning(self.options.tuning.chunk_arrivals, threads=1),
            replay=Replay(),
        )
        _refuse_changed(work, self.scenarios)
        missing = "DOMAIN_ALIGN_FAILED" if state_id == "S4" else "S1_OUTPUT_MISSING"
        return [ScenarioWork.open(work, scenario_id, missing=missing) for scenario_id in self.scenarios]

    def logs(self, works: list[ScenarioWork]) -> Iterator[EventLog]:
        """Every log of a state, scenario by scenario."""
        state = works[0].state
        if state.id == "S2":
            lgcp, rng = intensities.open_policies(state)
            yield from (field_log(work, rng, draw_field(work, lgcp, rng), self.choice) for work in works)
        elif state.id == "S3":
            counts, rng = counting.open_policies(state)
            yield from (count_log(work, counts, rng, self.choice) for work in works)
        else:
            policies, world = open_world(state)
            for work in works:
                yield from arrival_logs(Expansion.open(work, policies, world), self.choice)


def _micros(text: str) -> int:
    """An instant in microseconds since 1970, UTC."""
    since = instant(text) - instant("1970-01-01")
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _scenarios(root: RunRoot, contracts: ContractSource, wanted: tuple[str, ...]) -> tuple[str, ...]:
    known = [scenario.scenario_id for scenario in scenarios_of_run(root, contracts)]
    odd = sorted(set(wanted) - set(known))
    if odd:
        raise InputError(
            "5B.EVENTS.SCENARIO_UNKNOWN",
            f"the run has no scenario {odd[0]!r}",
            remedy=f"choose among {', '.join(known)}",
        )
    return tuple(each for each in known if not wanted or each in wanted)


def _refuse_unknown(works: list[ScenarioWork], choice: EventChoice) -> None:
    """A name that no series has is a slip, not an empty log."""
    merchants = {int(merchant) for work in works for merchant in work.axis.merchant_id}
    zones = {zone for work in works for zone in work.axis.zones}
    for code, name, odd in (
        ("MERCHANT_UNKNOWN", "merchant", sorted(choice.merchants - merchants)),
        ("ZONE_UNKNOWN", "zone", sorted(choice.zones - zones)),
    ):
        if odd:
            what = f"no series of the chosen scenarios has {name} {odd[0]}"
            raise InputError(f"5B.EVENTS.{code}", what, remedy="look the series up in s1_grouping_5B")


def _refuse_changed(work: StateWork, scenarios: tuple[str, ...]) -> None:
    """Compare what a state reads of earlier states with what those recorded. What no record names, as in runs that another
    engine made, is taken as it is."""
    recorded = published_digests(work.root) or {}
    own = {output.dataset_id for output in OUTPUT_TABLES}.intersection(work.reads)
    places = [work.path(dataset_id, scenario_id) for dataset_id in sorted(own) for scenario_id in scenarios]
    for file in (file for place in places if place.exists() for file in dataset_files(place, code=_CHANGED)):
        name = file.relative_to(work.root.path).as_posix()
        if recorded.get(name) not in (None, remembered_sha256(file)):
            remedy = "restore it, or run its state again; `seg5b verify` tells what else is otherwise"
            raise EvidenceError(_CHANGED, "is not as its state recorded it", where=name, remedy=remedy)


_CHANGED = "5B.EVENTS.PUBLISHED_CHANGED"
