"""Event logs, where a run kept them: what they add up to, and their records against contract and derivation law (law L10)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seg5b.contracts import EVENTS
from seg5b.errors import EvidenceError, Seg5bError
from seg5b.explain.facts import latent_domains, scene_of
from seg5b.options import EVENT_FAMILIES, EVENT_FORMS
from seg5b.query import literal
from seg5b.run_tables.rng_logs import INCOMPLETE, Record
from seg5b.run_tables.subject import Subject
from seg5b.tables.records import read_records
from seg5b.twin.readings import LATENT_FAMILY
from seg5b.twin.scene import Scene
from seg5b.validation.checks.rng import identity_of, totals_by_substream
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Key

_FIRST, _SAMPLE = 1000, 1000
"""Records of a log that are looked at one by one: the first, and about so many spread over the others."""
_COUNTER = tuple(f"rng_counter_{which}_{half}" for which in ("before", "after") for half in ("hi", "lo"))
_KINDS = {
    **dict.fromkeys(("ts_utc", "run_id", "parameter_hash", "manifest_fingerprint", "module"), "VARCHAR"),
    **dict.fromkeys(("substream_label", "scenario_id", "draws"), "VARCHAR"),
    **dict.fromkeys(("seed", *_COUNTER), "UBIGINT"),
    "blocks": "BIGINT",
}
"""Columns of a log that every record has."""
_NO_HIVE = "hive_partitioning = false"
"""Folders must not stand for what records say."""
_FOLLOWS = """CASE WHEN rng_counter_after_hi = rng_counter_before_hi
    THEN rng_counter_after_lo::HUGEINT = rng_counter_before_lo::HUGEINT + blocks
    ELSE rng_counter_after_hi::HUGEINT = rng_counter_before_hi::HUGEINT + 1
     AND rng_counter_after_lo::HUGEINT + 18446744073709551616 = rng_counter_before_lo::HUGEINT + blocks END"""
"""The counter behind an event is its blocks on."""


def _files(subject: Subject) -> dict[str, list[Path]]:
    """Files of the scenario's event logs by the log's name; of more than one form where a run has both."""
    found = {}
    for name in EVENT_FAMILIES:
        folder = subject.path(f"{EVENTS}{name}", per_scenario=False) / f"scenario_id={subject.scenario_id}"
        files = [folder / f"part-000000.{form}" for form in EVENT_FORMS]
        if present := [file for file in files if file.is_file()]:
            found[name] = present
    return found


def _label(subject: Subject, name: str) -> tuple[str, str]:
    """Family and substream label of a log."""
    labels = subject.policies.readings.labels
    ending = {"arrival_lgcp_gaussian": "latent_vector", "arrival_bucket_count": "bucket_count"}.get(name, name)
    family = next(family for family in labels if family.split(".")[1] == ending)
    return family, labels[family]


def _table(file: Path) -> str:
    """A log as a table of `_KINDS`, in SQL."""
    if file.suffix == ".parquet":
        return f"read_parquet({literal(str(file))}, {_NO_HIVE})"
    kinds = ", ".join(f"{name}: '{kind}'" for name, kind in _KINDS.items())
    return f"read_json({literal(str(file))}, format = 'newline_delimited', columns = {{{kinds}}}, {_NO_HIVE})"


def _odd(subject: Subject, state: str, label: str) -> str:
    """What is wrong with a record that is not this log's, in SQL."""
    known = {
        **identity_of(subject),
        "ts_utc": subject.root.receipt.get("created_utc"),
        "scenario_id": subject.scenario_id,
        "module": f"5B.{state}",
        "substream_label": label,
    }
    values = {name: str(value) if isinstance(value, int) else literal(str(value)) for name, value in known.items()}
    same = [f"{name} IS NOT DISTINCT FROM {value}" for name, value in values.items()]
    blocks = "blocks = (TRY_CAST(draws AS BIGINT) + 1) // 2"
    return f"NOT coalesce({' AND '.join([*same, blocks, _FOLLOWS])}, false)"


def _judged(subject: Subject, name: str, file: Path, expected: tuple[int, int, int]) -> tuple[int, list[Key]]:
    """Records of a log, and what is wrong with it."""
    family, label = _label(subject, name)
    events, draws, blocks, odd = subject.row(
        f"""SELECT count(*), coalesce(sum(TRY_CAST(draws AS BIGINT)), 0)::BIGINT, coalesce(sum(blocks), 0)::BIGINT,
                   count(*) FILTER ({_odd(subject, EVENT_FAMILIES[name], label)})
            FROM {_table(file)}"""
    )
    wrong: list[Key] = []
    if (events, draws, blocks) != expected:
        wrong.append({"log": name, "totals": [events, draws, blocks], "trace": list(expected)})
    if odd:
        wrong.append(
            {"log": name, "problem": f"{odd} records are of another run or log, or their counters do not follow"}
        )
    return events, [*wrong, *_odd_records(subject, name, family, file, events)]


def _odd_records(subject: Subject, name: str, family: str, file: Path, events: int) -> Iterator[Key]:
    """Of the first records and a sample of the others, those that do not fit the contract, or whose counter is not the one that
    the derivation law gives their domain."""
    schema_ref = subject.contracts.dictionary("5B").entry(f"{EVENTS}{name}").schema_ref
    scene, domains = scene_of(subject), latent_domains(subject) if family == LATENT_FAMILY else []
    step = max((events - _FIRST) // _SAMPLE, 1)
    for row, record in read_records(file, code=INCOMPLETE, error=EvidenceError, first=_FIRST, step=step):
        key = {"log": name, "record": row}
        try:
            subject.contracts.validate(schema_ref, record, code=INCOMPLETE, where=name, error=EvidenceError)
        except Seg5bError as cause:
            yield {**key, "problem": cause.what}
            continue
        domain = _domain(scene, record)
        base = scene.origin.stream(family, domain).base + int(record.get("arrival_index", 0))
        before = record["rng_counter_before_hi"] << 64 | record["rng_counter_before_lo"]
        if before != base % (1 << 128):
            yield {**key, "domain": domain, "counter": f"{before:032x}", "derived": f"{base:032x}"}
        if domains and (row >= len(domains) or domains[row] != domain):
            yield {**key, "domain": domain, "problem": "is not the path that is recorded here"}


def _domain(scene: Scene, record: Record) -> str:
    """Domain key of a record that fits its contract."""
    if "latent_domain" in record:
        return str(record["latent_domain"])
    if "group_id" in record:
        return f"group_id={record['group_id']}"
    zone, channel = str(record.get("zone_representation")), str(record.get("channel_group"))
    return scene.bucket_key(record["merchant_id"], zone, channel, record["bucket_index"])


def _logs(subject: Subject) -> Finding:
    """Every log of every state that kept logs."""
    files = _files(subject)
    if not files:
        return Finding(skipped="no event logs were kept")
    trace, rows = totals_by_substream(subject), 0
    wrong: list[Key] = []
    for name, state in EVENT_FAMILIES.items():
        expected = trace.get(_label(subject, name)[1], (0, 0, 0))
        if name not in files:
            if expected[0] and state in {EVENT_FAMILIES[kept] for kept in files}:
                wrong.append({"log": name, "problem": "is missing, though the state kept others"})
            continue
        if len(files[name]) > 1:
            wrong.append({"log": name, "problem": "is there in two forms"})
        for file in files[name]:
            records, found = _judged(subject, name, file, expected)
            rows += records
            wrong += found
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), rows)


CHECKS = (
    Check(
        "rng.event_logs",
        "5B.S5.RNG_EVENTS_INVALID",
        "rng_accounting_ok",
        "rng_accounting_checks.trace_complete",
        "event logs, where a state kept them, have the events, draws and blocks of the trace; records are the run's own, the "
        "counter behind an event is its blocks on, and records of a sample fit their contract and the derivation law",
        Compute(_logs),
        needs=("grouping",),
        must_have_rows=False,
    ),
)
