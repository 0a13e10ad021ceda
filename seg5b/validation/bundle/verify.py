"""Verifying a published bundle: its members, and every file whose digest it or the gate holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seg5b.canonical_json import canonical_json, plain
from seg5b.contracts import ContractSource
from seg5b.errors import NO_VERDICT, Seg5bError, brief
from seg5b.foreign_json import OBJECT, read_json
from seg5b.hashing import file_digests
from seg5b.run_tables.outputs import dataset_path
from seg5b.runs import RunRoot
from seg5b.runs.dropped import dropped_files, how_to_make_again
from seg5b.runs.ledger import last_records
from seg5b.validation.bundle.members import PUBLISHED
from seg5b.validation.bundle.published import published_places
from seg5b.validation.bundle.sealing import REPORT, bundle_digest, gate_receipt, index_head

INDEX = "index.json"
FLAG = "_passed.flag"
_MEMBER = "5B.S5.BUNDLE_MEMBER_MISSING_OR_HASH_MISMATCH"
_MISSING = "is missing or cannot be read"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not hold: its code, the file it concerns (relative to the run), what is wrong, and where in the
    file (``facts``: JSON values by name) if that is known."""

    code: str
    path: str
    what: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, root: RunRoot, failure: Seg5bError, what: str) -> Problem:
        """What a typed failure says of a run; ``what`` tells what failed."""
        return cls(failure.code, _relative(root, Path(failure.where or ".")), f"{what}: {failure.what}")

    def as_json(self) -> dict[str, Any]:
        """The same for ``--json``."""
        return {"code": self.code, "path": self.path, "what": self.what, **self.facts}


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """``problems`` found among ``files`` files of ``size_bytes`` bytes; ``bundle_digest`` as recomputed (empty where
    there is no bundle); ``notes`` on what else a reader should know."""

    problems: tuple[Problem, ...]
    files: int = 0
    size_bytes: int = 0
    bundle_digest: str = ""
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file that should be there, as the index, the list of published files or the gate states it."""

    path: Path
    name: str
    sha256_hex: str
    size_bytes: int | None
    code: str

    @classmethod
    def listed(cls, path: Path, name: str, row: Mapping[str, Any], code: str) -> _Wanted:
        """The file that a row of an index or list names."""
        return cls(path, name, str(row.get("sha256_hex")), row.get("size_bytes"), code)


def verify_validation_bundle(
    root: RunRoot,
    contracts: ContractSource,
    *,
    threads: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    remember: bool = False,
) -> VerifyReport:
    """Hash again every member of the bundle, the digest behind its flag, every file that 5B published and every sealed
    input, and name what differs, is missing or is new. Never raises for damage, only
    for what the system refuses. With ``remember``, files that this process hashed before and that did not change since are
    not read again.

    A run without a bundle has nothing to hash: which state failed last, or that S5 has not run, is the only problem."""
    folder = dataset_path(root, contracts, "validation_bundle_5B")
    if not folder.exists():
        return VerifyReport(_without_bundle(root, folder))
    problems: list[Problem] = []
    index = _json(root, folder / INDEX, "5B.S5.BUNDLE_INDEX_INVALID", problems)
    flag = _json(root, folder / FLAG, "5B.S5.FLAG_SCHEMA_VIOLATION", problems)
    members = _members(root, folder, index)
    wanted = [*members, *_published(root, contracts, folder, problems), *_sealed(root, contracts, problems)]
    sizes = _compare(wanted, problems, threads, progress, remember)
    problems[:] = _dropped_told(root, problems)
    problems += _unlisted(root, folder, members)
    digest = _digest(folder, members)
    if digest and digest == flag.get("bundle_digest_sha256"):
        problems[:] = [_index_at_fault(root, folder, problem) for problem in problems]
    _judge_index(root, contracts, index, flag, members, digest, problems)
    return VerifyReport(tuple(problems), len(wanted), sizes, digest, _later_failures(root))


def _failures(root: RunRoot) -> list[Problem]:
    """States whose last attempt failed."""
    failures = []
    for state, record in sorted(last_records(root).items()):
        if record["status"] == "FAIL":
            context = record.get("error_context")
            what = context.get("what") if isinstance(context, dict) else None
            told = f"{state} failed at {record['finished_at_utc']}: {brief(str(what or 'no reason is recorded'))}"
            failures.append(Problem(str(record.get("error_code")), ".", told))
    return failures


def _without_bundle(root: RunRoot, folder: Path) -> tuple[Problem, ...]:
    what = "S5 has not sealed this run: run it to the end"
    return tuple(_failures(root)) or (Problem("5B.S5.BUNDLE_MISSING", _relative(root, folder), what),)


def _later_failures(root: RunRoot) -> tuple[str, ...]:
    return tuple(f"the last attempt of {problem.what} ({problem.code})" for problem in _failures(root))


def _index_at_fault(root: RunRoot, folder: Path, problem: Problem) -> Problem:
    """Where the flag holds the digest of the members as they are, a member digest that differs is the index's fault."""
    if problem.code != _MEMBER:
        return problem
    what = f"states another digest of {problem.path}"
    return Problem("5B.S5.BUNDLE_INDEX_INVALID", _relative(root, folder / INDEX), what)


def _relative(root: RunRoot, path: Path) -> str:
    return path.relative_to(root.path).as_posix() if path.is_relative_to(root.path) else path.name


def _json(root: RunRoot, path: Path, code: str, problems: list[Problem]) -> Mapping[str, Any]:
    try:
        payload: Mapping[str, Any] = read_json(path, OBJECT)
    except (OSError, ValueError) as cause:
        problems.append(Problem(code, _relative(root, path), f"is not readable: {brief(str(cause))}"))
        return {}
    return payload


def _members(root: RunRoot, folder: Path, index: Mapping[str, Any]) -> list[_Wanted]:
    entries = index.get("entries", [])
    entries = entries if isinstance(entries, list) else []
    return [
        _Wanted.listed(folder / entry["path"], _relative(root, folder / entry["path"]), entry, _MEMBER)
        for entry in entries
        if isinstance(entry, dict) and _inside(entry.get("path"))
    ]


def _inside(path: object) -> bool:
    return (
        isinstance(path, str) and path.isprintable() and bool(path) and path[0] != "/" and ".." not in path.split("/")
    )


def _listed(payload: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    rows = payload.get(key, [])
    rows = rows if isinstance(rows, list) else []
    return [row for row in rows if isinstance(row, dict) and _inside(row.get("path"))]


def _published(root: RunRoot, contracts: ContractSource, folder: Path, problems: list[Problem]) -> list[_Wanted]:
    """Files of S0-S4 that the bundle lists; files beside them that it does not list are problems."""
    code = "5B.S5.PUBLISHED_FILE_CHANGED"
    payload = _json(root, folder / PUBLISHED, _MEMBER, problems)
    rows = _listed(payload, "files")
    listed = {row["path"] for row in rows}
    scenarios = sorted({row["scenario_id"] for row in rows if row.get("scenario_id")})
    for dataset_id, _, file in published_places(root, contracts, scenarios):
        if _relative(root, file) not in listed:
            problems.append(Problem(code, _relative(root, file), f"is in {dataset_id} but not in the bundle's list"))
    return [_Wanted.listed(root.path / row["path"], row["path"], row, code) for row in rows]


def _sealed(root: RunRoot, contracts: ContractSource, problems: list[Problem]) -> list[_Wanted]:
    """Sealed inputs as the gate lists them; the list itself is one of the published files."""
    code = "5B.S5.SEALED_CONTENT_CHANGED"
    listing = dataset_path(root, contracts, "sealed_content_5B")
    if not listing.is_file():
        return []
    wanted = []
    for row in _listed(_json(root, listing, code, problems), "entries"):
        try:
            wanted.append(_Wanted.listed(root.resolve(row["path"]), row["path"], row, code))
        except NO_VERDICT:
            raise
        except Seg5bError as cause:
            problems.append(Problem(code, row["path"], cause.what))
    return wanted


def _compare(
    wanted: list[_Wanted],
    problems: list[Problem],
    threads: int | None,
    progress: Callable[[str, int, int], None] | None,
    remember: bool,
) -> int:
    """Hash all files; returns the bytes read."""
    total = len(wanted)
    done = (lambda n: progress("hashing", n, total)) if progress else None
    read = 0
    for want, found in zip(
        wanted, file_digests([want.path for want in wanted], threads, done, remember=remember), strict=True
    ):
        read += found.size_bytes or 0
        if found.sha256_hex is None:
            problems.append(Problem(want.code, want.name, _MISSING))
        elif found.sha256_hex != want.sha256_hex or want.size_bytes not in (None, found.size_bytes):
            problems.append(Problem(want.code, want.name, f"has SHA-256 {found.sha256_hex}, not {want.sha256_hex}"))
    return read


def _dropped_told(root: RunRoot, problems: list[Problem]) -> list[Problem]:
    """The same, where what is missing was dropped to save space with how to make it again."""
    dropped = {each.path for each in dropped_files(root)}
    told = f"was dropped by prune: {how_to_make_again(root)}"
    return [replace(each, what=told) if each.path in dropped and _MISSING in each.what else each for each in problems]


def _unlisted(root: RunRoot, folder: Path, members: list[_Wanted]) -> list[Problem]:
    known = {want.path for want in members} | {folder / INDEX, folder / FLAG}
    present = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    code = "5B.S5.BUNDLE_INDEX_INVALID"
    return [
        Problem(code, _relative(root, path), "is not in the index") for path in sorted(present) if path not in known
    ]


def _digest(folder: Path, members: list[_Wanted]) -> str:
    names = [want.path.relative_to(folder).as_posix() for want in members]
    try:
        return bundle_digest(folder, names) if names else ""
    except OSError:
        return ""


def _index_form(
    root: RunRoot, contracts: ContractSource, folder: Path, index: Mapping[str, Any], members: list[_Wanted]
) -> list[Problem]:
    """The index is canonical JSON, names what the folder holds, and agrees with report and gate receipt."""
    where, code = _relative(root, folder / INDEX), "5B.S5.BUNDLE_INDEX_INVALID"
    if not index:
        return []
    found = []
    if (folder / INDEX).read_bytes() != canonical_json(plain(index)):
        found.append("is not in canonical form")
    paths = [want.path.relative_to(folder).as_posix() for want in members]
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {INDEX, FLAG}
    if paths != sorted(present):
        found.append(f"does not list the folder's files in order: {sorted(present.symmetric_difference(paths))[:3]}")
    try:
        head = index_head(read_json(folder / REPORT, OBJECT), gate_receipt(root, contracts))
    except (OSError, ValueError, KeyError):
        head = {}
    odd = sorted(key for key, value in head.items() if index.get(key) != value)
    if odd:
        found.append(f"differs from report and gate receipt in {', '.join(odd)}")
    return [Problem(code, where, what) for what in found]


def _judge_index(
    root: RunRoot,
    contracts: ContractSource,
    index: Mapping[str, Any],
    flag: Mapping[str, Any],
    members: list[_Wanted],
    digest: str,
    problems: list[Problem],
) -> None:
    folder = dataset_path(root, contracts, "validation_bundle_5B")
    for dataset_id, name, payload, code in (
        ("validation_bundle_index_5B", INDEX, index, "5B.S5.BUNDLE_INDEX_INVALID"),
        ("validation_passed_flag_5B", FLAG, flag, "5B.S5.FLAG_SCHEMA_VIOLATION"),
    ):
        if not payload:
            continue
        where = _relative(root, folder / name)
        try:
            ref = contracts.dictionary("5B").entry(dataset_id).schema_ref
            contracts.validate(ref, dict(payload), code=code, where=where)
        except NO_VERDICT:
            raise
        except Seg5bError as cause:
            problems.append(Problem(code, where, cause.what))
        if payload.get("manifest_fingerprint") != root.identity.manifest_fingerprint:
            problems.append(Problem(code, where, "belongs to another manifest fingerprint"))
    problems += _index_form(root, contracts, folder, index, members)
    if flag and flag.get("bundle_digest_sha256") != digest:
        what = f"names digest {flag.get('bundle_digest_sha256')}, the members have {digest}"
        problems.append(Problem("5B.S5.BUNDLE_DIGEST_MISMATCH", _relative(root, folder / FLAG), what))
