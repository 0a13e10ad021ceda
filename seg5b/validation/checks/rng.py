"""Random-number evidence: logged draws reconciled with the outputs (laws L4, L10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from seg5b.errors import EvidenceError, Seg5bError
from seg5b.explain.facts import latent_domains, scene_of
from seg5b.run_tables.cell_tables import cell_totals
from seg5b.run_tables.rng_logs import INCOMPLETE, Record, audit_file, read_lines, traces
from seg5b.run_tables.subject import Subject
from seg5b.twin.arrivals import EDGE_FAMILY, JITTER_FAMILY, SITE_FAMILY, TEMPER_FAMILY
from seg5b.twin.readings import LATENT_FAMILY
from seg5b.twin.scene import COUNT_FAMILY
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Key

_MISMATCH = "5B.S5.RNG_ACCOUNTING_MISMATCH"
_FIELD = "rng_accounting_ok"
_SPAN = 1 << 128
STREAMS = "rng_accounting_checks.streams"
STREAM_SWITCHES = tuple(
    f"{STREAMS}.{name}"
    for name in (
        "require_monotonic_counters",
        "require_next_before_equals_prev_after",
        "forbid_counter_overlap",
        "abort_on_wrap",
    )
)
_TOTALS = ("events_total", "draws_total", "blocks_total")

Totals = tuple[int, int, int]


def identity_of(subject: Subject) -> dict[str, Any]:
    """What every record of the run says of it."""
    identity = subject.root.identity
    return {
        "run_id": identity.run_id,
        "seed": identity.seed,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
    }


def _invalid(subject: Subject, dataset_id: str, record: Record) -> str:
    """Why a log record does not fit its contract; empty if it does."""
    try:
        subject.contracts.validate_row(dataset_id, dict(record), code=INCOMPLETE, where=dataset_id, error=EvidenceError)
    except Seg5bError as cause:
        return cause.what
    return ""


def _audit(subject: Subject) -> Finding:
    path = audit_file(subject)
    records = read_lines(path, "rng_audit_log") if path.is_file() else []
    wrong: list[Key] = []
    if len(records) != 1:
        wrong.append({"records": len(records), "expected": 1})
    for line, record in enumerate(records):
        problem = _invalid(subject, "rng_audit_log", record) or _unsaid(record)
        odd = [name for name, value in identity_of(subject).items() if record.get(name) != value]
        if problem or odd:
            wrong.append({"line": line, "problem": problem or f"foreign {', '.join(odd)}"})
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), len(records))


def _unsaid(record: Record) -> str:
    """What an audit record leaves open that its contract cannot demand: a time that exists, and where and by what it was
    made; which machine and release that was is for people to read."""
    empty = [name for name in ("build_commit", "hostname", "platform") if not str(record.get(name) or "").strip()]
    if empty:
        return f"{', '.join(empty)} not stated"
    return "" if _is_instant(record.get("ts_utc")) else "ts_utc is no instant"


def _is_instant(text: Any) -> bool:
    try:
        datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return False
    return True


def _misdated(subject: Subject, record: Record) -> bool:
    """Whether a trace row has another time than the run's receipt; a derived run shares rows with its base."""
    root = subject.root
    return not root.derived_from and record["ts_utc"] != root.receipt.get("created_utc")


def _rows_of(subject: Subject) -> Iterable[tuple[str, int, Record]]:
    for state, records in traces(subject).items():
        for line, record in enumerate(records):
            yield state, line, record


def _trace_rows(subject: Subject) -> Finding:
    """Every trace row fits the contract, is this run's, and names a substream of its state, once per part."""
    modules = {(f"5B.{name[:2]}", label) for name, label in subject.policies.readings.labels.items()}
    wrong: list[Key] = []
    seen: Counter[tuple[str, str, Any]] = Counter()
    rows = 0
    for state, line, record in _rows_of(subject):
        rows += 1
        problem = _invalid(subject, "rng_trace_log", record)
        label, module, part = record.get("substream_label"), record.get("module"), _part(record)
        seen[state, str(label), part] += 1
        if not problem and (module != f"5B.{state}" or (module, label) not in modules):
            problem = f"substream {module}/{label} is none of {state}"
        elif not problem and seen[state, str(label), part] > 1:
            problem = f"part {part} of {label} occurs twice"
        elif not problem and (record["run_id"], record["seed"], record.get("scenario_id")) != (
            subject.root.identity.run_id,
            subject.root.identity.seed,
            subject.scenario_id,
        ):
            problem = "belongs to another run or scenario"
        elif not problem and _misdated(subject, record):
            problem = f"dated {record['ts_utc']}, not as the run"
        if problem:
            wrong.append({"state": state, "line": line, "problem": problem})
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), rows)


def _part(record: Record) -> Any:
    return record.get("part_index", record.get("part"))


def totals_by_substream(subject: Subject) -> dict[str, Totals]:
    """(events, draws, blocks) of each substream, added up over the parts. Raises `EvidenceError`."""
    found: dict[str, list[int]] = {}
    for state, line, record in _rows_of(subject):
        numbers = [record.get(name) for name in _TOTALS]
        if not all(isinstance(number, int) for number in numbers):
            raise EvidenceError(INCOMPLETE, f"trace of {state}, line {line} has no totals", where="rng_trace_log")
        totals = found.setdefault(str(record.get("substream_label")), [0, 0, 0])
        found[str(record.get("substream_label"))] = [a + int(b or 0) for a, b in zip(totals, numbers, strict=True)]
    return {label: (totals[0], totals[1], totals[2]) for label, totals in found.items()}


def expected_totals(subject: Subject) -> Mapping[str, Totals]:
    """(events, draws, blocks) of each substream as the outputs imply them; substreams without events are absent."""
    read = subject.policies.readings
    labels = read.labels
    drawn = cell_totals(subject, "counts").drawn
    arrivals, virtual, coin = subject.row(
        """SELECT coalesce(sum(arrivals), 0)::BIGINT, coalesce(sum(virtual_arrivals), 0)::BIGINT,
                  coalesce(sum(arrivals) FILTER (virtual_mode <> 'VIRTUAL_ONLY'), 0)::BIGINT
           FROM merchant_parts LEFT JOIN modes USING (merchant_id)"""
    )
    buckets = int(subject.constants["buckets"] or 0)
    per_count = 2 if read.count_law == "nb2" else 1
    latent = len(latent_domains(subject))
    expected = {
        labels[LATENT_FAMILY]: (latent, 2 * buckets * latent, buckets * latent),
        labels[COUNT_FAMILY]: (drawn, per_count * drawn, drawn),
        labels[JITTER_FAMILY]: (arrivals, arrivals, arrivals),
        labels[SITE_FAMILY]: (coin, 2 * coin, coin),
        labels[EDGE_FAMILY]: (virtual, virtual, virtual),
    }
    return {label: totals for label, totals in expected.items() if totals[0]}


def substreams_not_asked(subject: Subject) -> frozenset[str]:
    """Substreams whose totals the validation policy does not ask for."""
    validation, labels = subject.policies.validation, subject.policies.readings.labels
    budgets = validation.rng_accounting_checks.budgets
    counted = budgets.s3_bucket_count.require_no_event_when_deterministic_zero
    counted |= validation.structural_checks.s3_bucket_counts.require_no_rng_event_when_lambda_zero
    latent = budgets.s2_latent_vector.require_one_event_per_group_when_enabled
    asked = {labels[LATENT_FAMILY]: latent, labels[COUNT_FAMILY]: counted}
    return frozenset(label for label, is_asked in asked.items() if not is_asked)


def _totals(subject: Subject) -> Finding:
    """Events, draws and blocks of every substream equal what the outputs imply, exactly; tempering is bounded."""
    expected, found = dict(expected_totals(subject)), totals_by_substream(subject)
    read, ignored = subject.policies.readings, substreams_not_asked(subject)
    temper, edges = read.labels[TEMPER_FAMILY], read.labels[EDGE_FAMILY]
    wrong: list[Key] = []
    spent = found.pop(temper, (0, 0, 0))
    allowed = expected.get(edges, (0, 0, 0))[0] if read.temper else 0
    if not (spent[0] <= allowed and spent == (spent[0], 2 * spent[0], spent[0])):
        wrong.append({"substream_label": temper, "trace": list(spent), "most_events": allowed})
    for label in sorted((expected.keys() | found.keys()) - ignored):
        if expected.get(label) != found.get(label):
            wrong.append(
                {
                    "substream_label": label,
                    "trace": list(found.get(label, (0, 0, 0))),
                    "outputs": list(expected.get(label, (0, 0, 0))),
                }
            )
    facts = {"trace": {label: list(totals) for label, totals in sorted(found.items())}, "tempered": list(spent)}
    return Finding(len(wrong), tuple(wrong), len(expected), facts)


def _blocks(subject: Subject) -> Finding:
    """Blocks of a row are ceil(draws / 2) per event, as every family of the policy draws."""
    wrong: list[Key] = []
    rows = 0
    for state, line, record in _rows_of(subject):
        rows += 1
        events, draws, blocks = (record.get(name) for name in _TOTALS)
        whole = isinstance(events, int) and isinstance(draws, int) and isinstance(blocks, int)
        if not whole or not events or draws % events or blocks != events * -(-(draws // events) // 2):
            key = {"events": events, "draws": draws, "blocks": blocks}
            wrong.append({"state": state, "line": line, "substream_label": record.get("substream_label"), **key})
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), rows)


def _counter(record: Record, name: str) -> int:
    high, low = record.get(f"rng_counter_{name}_hi"), record.get(f"rng_counter_{name}_lo")
    return int(high or 0) << 64 | int(low or 0)


def _latent_streams(subject: Subject) -> list[int]:
    """Base counters of all latent paths, in the order in which S2 records them."""
    scene = scene_of(subject)
    return [scene.latent_stream(domain_key).base for domain_key in latent_domains(subject)]


def _bucket_counter(subject: Subject, position: int) -> int:
    """Base counter of a bucket row that drew a count."""
    merchant, zone, channel, bucket = subject.row(
        f"SELECT merchant_id, zone_representation, channel_group, bucket_index FROM counts WHERE position = {position}"
    )
    scene = scene_of(subject)
    return scene.origin.stream(COUNT_FAMILY, scene.bucket_key(merchant, zone, channel, bucket)).base


def _counters(subject: Subject) -> Finding:
    """No counter wraps, and the S2 and S3 rows show the counters that the derivation law gives their ends."""
    buckets = int(subject.constants["buckets"] or 0)
    rows = traces(subject)
    wrong: list[Key] = []
    expected: list[tuple[str, int, int]] = []
    if rows["S2"] and subject.policies.readings.has_field:
        bases = _latent_streams(subject)
        wrong += [{"state": "S2", "path": path} for path, base in enumerate(bases) if base + buckets >= _SPAN]
        expected += [("S2", bases[0], bases[-1] + buckets)] if bases else []
    ends = cell_totals(subject, "counts").drawn_ends
    if rows["S3"] and ends:
        expected.append(("S3", _bucket_counter(subject, ends[0]), _bucket_counter(subject, ends[1]) + 1))
    for state, first, last in expected:
        shown = _counter(rows[state][0], "before"), _counter(rows[state][-1], "after")
        if shown != (first, last % _SPAN):
            wrong.append(
                {"state": state, "shown": [f"{x:032x}" for x in shown], "derived": [f"{first:032x}", f"{last:032x}"]}
            )
    for state, line, record in _rows_of(subject):
        if not _counter(record, "after"):
            wrong.append({"state": state, "line": line, "problem": "the counter after is 0: it wrapped"})
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), sum(map(len, rows.values())))


CHECKS = (
    Check(
        "rng.audit",
        INCOMPLETE,
        _FIELD,
        "rng_accounting_checks.audit_present",
        "the run has exactly one audit record, valid and its own",
        Compute(_audit),
        per_scenario=False,
        must_have_rows=False,
    ),
    Check(
        "rng.trace_rows",
        INCOMPLETE,
        _FIELD,
        "rng_accounting_checks.trace",
        "trace files of S2, S3 and S4 are there; rows are valid, of this run, one per substream and part",
        Compute(_trace_rows),
        switches=(
            "rng_accounting_checks.trace.require_trace_row_per_rng_event",
            "rng_accounting_checks.trace.require_append_after_each_event",
        ),
    ),
    Check(
        "rng.totals",
        _MISMATCH,
        _FIELD,
        "rng_accounting_checks.draws_match_outputs",
        "events, draws and blocks of every substream are exactly those that the outputs imply",
        Compute(_totals),
        needs=("grouping", "count_faults", "merchant_parts", "modes"),
    ),
    Check(
        "rng.blocks",
        _MISMATCH,
        _FIELD,
        "rng_accounting_checks.blocks_match_draws",
        "each event spent ceil(draws / 2) blocks",
        Compute(_blocks),
    ),
    Check(
        "rng.counters",
        _MISMATCH,
        _FIELD,
        STREAMS,
        "no counter wraps; counters at the ends of S2 and S3 are those of the derivation law",
        Compute(_counters),
        needs=("grouping", "counts", "count_faults"),
        switches=STREAM_SWITCHES,
    ),
)
