"""A whole run as a run root of the reference engine, for its next segments and its own states (docs/laws#reference-form)."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from seg5b._version import __version__
from seg5b.canonical_json import canonical_json
from seg5b.contracts import ContractSource, part_name
from seg5b.errors import InputError, PublishError
from seg5b.export.targets import check_place
from seg5b.foreign_json import COUNT, TEXT, read_json_lines
from seg5b.gate import open_gate
from seg5b.options import Tuning
from seg5b.parallel import in_order
from seg5b.progress import Advance, Reporter, Silent
from seg5b.publish import put_in_place
from seg5b.run_tables.outputs import BY_TABLE, INCOMPLETE, OutputTable, dataset_path, output_files, require_published
from seg5b.runs.root import RECEIPT_NAME, RunRoot
from seg5b.tables import file_metadata
from seg5b.tables.reading import row_count
from seg5b.tables.reference_form import (
    columns_of,
    left_behind,
    published_digest,
    reference_digest,
    sampled,
    write_reference_form,
)

RECEIPT: Final = "reference_form.json"
"""What was checked before the root came into place, in the root itself."""
STATES: Final = ("S1", "S2", "S3", "S4", "S5")
_TABLES: Final = ("grid", "grouping", "intensity", "counts", "arrivals", "summary")
_COPIED: Final = ("data", "logs", "reports", "reference", "artefacts")
_FAILED: Final = "data/layer2/5B/validation_failed"
_SPOTS, _ROWS_AT_A_SPOT = 8, 8
_COUNTER = ("rng_counter_after_hi", "rng_counter_after_lo")
_TOTALS = ("events_total", "draws_total", "blocks_total")
_TRACE = {
    **dict.fromkeys(("ts_utc", "run_id", "module", "substream_label"), TEXT),
    **dict.fromkeys(("seed", "rng_counter_before_hi", "rng_counter_before_lo", *_COUNTER, *_TOTALS), COUNT),
}


@dataclass(frozen=True, slots=True)
class ReferenceRoot:
    """What was written: the run root ``path``, ``rows`` of tables in ``files`` files of ``size_bytes`` together, beside the
    ``published_bytes`` of the same tables in the run, and the ``receipt`` as it lies there."""

    path: Path
    rows: int
    files: int
    size_bytes: int
    published_bytes: int
    receipt: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A dataset of a scenario: its published ``files``, and the ``targets`` below the new root, one for each or one for all."""

    output: OutputTable
    scenario: str
    files: tuple[Path, ...]
    targets: tuple[PurePosixPath, ...]

    def jobs(self) -> Iterator[tuple[_Piece, tuple[Path, ...], PurePosixPath]]:
        if len(self.targets) == 1:
            yield self, self.files, self.targets[0]
            return
        for file, target in zip(self.files, self.targets, strict=True):
            yield self, (file,), target


def export_reference_root(
    root: RunRoot,
    contracts: ContractSource,
    out: str | Path,
    *,
    through: str = "S5",
    threads: int | None = None,
    reporter: Reporter | None = None,
) -> ReferenceRoot:
    """Write ``out``/<run id>: copies of everything the run holds, its tables and its trace in the reference engine's form.

    ``through``: the last state whose outputs come along. The root appears whole, after every table was read back and found to
    hold the published rows, and rows of each were found to fit the contract; `RECEIPT` in it says so. The run is only read.

    Raises `PublishError` ``5B.EXPORT.TARGET_*`` as `check_place` and ``5B.EXPORT.FORM_DIFFERS``, `RunError`
    ``5B.EXPORT.DATASET_MISSING``, `InputError` ``5B.EXPORT.STATE_UNKNOWN``, ``5B.EXPORT.TRACE_UNREADABLE`` and as
    `write_reference_form`.
    """
    if through not in STATES:
        what = f"there is no state {through!r} to go through"
        raise InputError("5B.EXPORT.STATE_UNKNOWN", what, remedy=f"choose among {', '.join(STATES)}")
    folder = Path(out)
    _check_folder(folder)
    states = STATES[: STATES.index(through) + 1]
    pieces = list(_pieces(root, contracts, states))
    folder.mkdir(exist_ok=True)
    place = folder / root.identity.run_id
    check_place(place, overwrite=False, folder=True)
    staged = folder / f".{root.identity.run_id}.{uuid.uuid4().hex}.partial"
    try:
        _copy(root, contracts, staged, states)
        _write_trace(root, contracts, staged, states)
        _write_tables(root, staged, pieces, threads or Tuning().threads, reporter or Silent())
        receipt = _checked(root, contracts, staged, pieces, through, threads or Tuning().threads, reporter or Silent())
        (staged / RECEIPT).write_bytes(canonical_json(receipt) + b"\n")
        size = sum((staged / target).stat().st_size for piece in pieces for target in piece.targets)
        put_in_place(staged, place, replace=False)
    except FileExistsError:
        raise _refused("TARGET_EXISTS", "something came there meanwhile", place, "name another folder") from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    rows = sum(each["rows"] for each in receipt["datasets"])
    published = sum(file.stat().st_size for piece in pieces for file in piece.files)
    return ReferenceRoot(place, rows, sum(len(piece.targets) for piece in pieces), size, published, receipt)


def _refused(reason: str, what: str, path: Path, remedy: str) -> PublishError:
    return PublishError(f"5B.EXPORT.{reason}", what, where=str(path), remedy=remedy)


def _check_folder(folder: Path) -> None:
    """A folder that is there, or that may be made."""
    if not folder.is_dir():
        check_place(folder, overwrite=False, folder=True)


def _pieces(root: RunRoot, contracts: ContractSource, states: Sequence[str]) -> Iterator[_Piece]:
    wanted = [table for table in _TABLES if BY_TABLE[table].state in states]
    for scenario in open_gate(root, contracts, state="S5").scenario_ids:
        require_published(root, contracts, scenario, wanted, code="5B.EXPORT.DATASET_MISSING")
        for table in wanted:
            output = BY_TABLE[table]
            files = tuple(output_files(root, contracts, output, scenario))
            yield _Piece(output, scenario, files, _targets(root, contracts, output, scenario, len(files)))


def _targets(
    root: RunRoot, contracts: ContractSource, output: OutputTable, scenario: str, files: int
) -> tuple[PurePosixPath, ...]:
    """Where the contract has the dataset: one file, or parts in a folder."""
    entry = contracts.dictionary("5B").entry(output.dataset_id)
    place = PurePosixPath(entry.render(root.identity.tokens(scenario)))
    if place.suffix == ".parquet" and "*" not in place.name:
        return (place,)
    folder = place.parent if "*" in place.name else place
    return tuple(folder / part_name(number) for number in range(files))


def _copy(root: RunRoot, contracts: ContractSource, staged: Path, states: Sequence[str]) -> None:
    """Everything of the run but its tables, its trace, what failed, and what belongs to states that stay behind."""
    made_here = [*(output.dataset_id for output in BY_TABLE.values()), "rng_trace_log"]
    later = [] if "S5" in states else ["validation_bundle_5B"]
    left = {root.path / _FAILED, *(_folder(root, contracts, dataset_id) for dataset_id in (*made_here, *later))}

    def ignored(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name.startswith(".") or Path(folder) / name in left]

    staged.mkdir()
    shutil.copyfile(root.path / RECEIPT_NAME, staged / RECEIPT_NAME)
    for name in _COPIED:
        if (root.path / name).is_dir():
            shutil.copytree(root.path / name, staged / name, ignore=ignored, copy_function=shutil.copyfile)


def _folder(root: RunRoot, contracts: ContractSource, dataset_id: str) -> Path:
    """The folder of a dataset, above its partitions."""
    return root.path / PurePosixPath(contracts.dictionary("5B").entry(dataset_id).path.partition("{")[0]).parent


def _write_tables(root: RunRoot, staged: Path, pieces: Sequence[_Piece], threads: int, reporter: Reporter) -> None:
    total = sum(row_count(piece.files, code=INCOMPLETE) for piece in pieces)
    with reporter.track("reference form", total, "rows") as advance:

        def write(job: tuple[_Piece, tuple[Path, ...], PurePosixPath]) -> None:
            piece, files, target = job
            facts = file_metadata(root.identity, form="reference", scenario_id=piece.scenario)
            (staged / target).parent.mkdir(parents=True, exist_ok=True)
            columns = columns_of(piece.output.dataset_id, files[0])
            write_reference_form(files, columns, staged / target, facts, advance)

        for _ in in_order((job for piece in pieces for job in piece.jobs()), write, threads, label="reference-form"):
            pass


def _checked(
    root: RunRoot,
    contracts: ContractSource,
    staged: Path,
    pieces: Sequence[_Piece],
    through: str,
    threads: int,
    reporter: Reporter,
) -> dict[str, Any]:
    """What the receipt says. Raises `PublishError` ``5B.EXPORT.FORM_DIFFERS``."""
    with reporter.track("read back", len(pieces), "tables") as advance:
        datasets = [_compared(contracts, staged, piece, threads, advance) for piece in pieces]
    identity = root.identity
    return {
        "form": "reference",
        "code_version": __version__,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "seed": identity.seed,
        "run_id": identity.run_id,
        "through": through,
        "datasets": datasets,
    }


def _compared(contracts: ContractSource, staged: Path, piece: _Piece, threads: int, advance: Advance) -> dict[str, Any]:
    written = [staged / target for target in piece.targets]
    columns = columns_of(piece.output.dataset_id, piece.files[0])
    rows = row_count(piece.files, code=INCOMPLETE)
    digest = published_digest(piece.files, columns, threads=threads)
    again, found = row_count(written, code=INCOMPLETE), reference_digest(written, columns, threads=threads)
    if (rows, digest) != (again, found):
        what = f"{piece.output.dataset_id} reads back as {again} rows, {found}; published are {rows}, {digest}"
        raise _refused("FORM_DIFFERS", what, written[0], "report it: nothing was put in place")
    fit = _fit(contracts, piece, written, rows, list(columns))
    advance(1)
    return {
        "dataset_id": piece.output.dataset_id,
        "scenario_id": piece.scenario,
        "rows": rows,
        "content_sha256": digest,
        "columns": list(columns),
        "columns_left_behind": list(left_behind(piece.files[0], columns)),
        "rows_that_fit_the_contract": fit,
        "files": [str(target) for target in piece.targets],
    }


def _fit(contracts: ContractSource, piece: _Piece, written: Sequence[Path], rows: int, columns: Sequence[str]) -> int:
    """How many rows, at places spread over the dataset, were held against the contract, which may know the columns that stay
    behind: those are taken from what is published."""
    places = sorted(
        {spot * rows // _SPOTS + row for spot in range(_SPOTS) for row in range(min(_ROWS_AT_A_SPOT, rows // _SPOTS))}
        or set(range(rows))
    )
    rest = sampled(piece.files, places, left_behind(piece.files[0], dict.fromkeys(columns)))
    told = [{**more, **row} for more, row in zip(rest, sampled(written, places, columns), strict=True)]
    schema_ref = contracts.dictionary("5B").entry(piece.output.dataset_id).schema_ref
    whole = contracts.schema(schema_ref).get("type") == "array"
    for instance in [told] if whole else told:
        try:
            contracts.validate(schema_ref, instance, code="row", where=piece.output.dataset_id)
        except InputError as cause:
            what = f"a row of {piece.output.dataset_id} does not fit {schema_ref}: {cause.what}"
            raise _refused(
                "FORM_DIFFERS", what, written[0], "check --contracts-root; nothing was put in place"
            ) from cause
    return len(told)


def _write_trace(root: RunRoot, contracts: ContractSource, staged: Path, states: Sequence[str]) -> None:
    """The trace as one file of JSON lines, totals growing.

    The rows of a substream are in the order of the counters behind them, so that the row which readers of the contract take for
    the last one, that of the largest counter, has the totals of the run."""
    place = dataset_path(root, contracts, "rng_trace_log")
    files = [file for state in states for file in sorted(place.glob(f"state={state}/*/rng_trace_log.jsonl"))]
    target = staged / place.relative_to(root.path)
    target = target if target.suffix == ".jsonl" else target / "rng_trace_log.jsonl"
    try:
        rows = [row for file in files for row in read_json_lines(file, _TRACE)]
    except ValueError as cause:
        remedy = "run `seg5b verify` to see what changed"
        raise InputError("5B.EXPORT.TRACE_UNREADABLE", str(cause), where=str(place), remedy=remedy) from cause
    if rows:
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(row, sort_keys=True, separators=(",", ":")) + "\n" for row in growing(rows))
        target.write_text("".join(lines), encoding="ascii")


def growing(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of a trace, each with its part's own totals, as the contract has them: substream by substream in the order in which
    they come first, counters ascending, totals those of all rows up to it."""
    substreams: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        substreams.setdefault((row["module"], row["substream_label"]), []).append(row)
    for own in substreams.values():
        totals = dict.fromkeys(_TOTALS, 0)
        for row in sorted(own, key=lambda row: tuple(row[name] for name in _COUNTER)):
            totals = {name: totals[name] + row[name] for name in _TOTALS}
            yield {**{name: row[name] for name in _TRACE}, **totals}
