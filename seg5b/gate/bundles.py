"""One upstream bundle, verified by its own law and, at depth ``content``, against the bytes of its members.

Source: law L2, docs/laws#upstream-bundles.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seg5b.canonical_json import canonical_json
from seg5b.contracts import ContractSource
from seg5b.errors import GateError
from seg5b.gate.files import (
    AbsentError,
    DamageError,
    add_member,
    checked_file,
    concatenated_digest,
    inside,
    may_exist,
    read_bytes,
    read_json,
    regular_files,
)
from seg5b.gate.laws import (
    BundleLaw,
    BundleMember,
    json_flag_digest,
    listed_items,
    read_members,
    text_flag_digest,
    unsafe_path,
)
from seg5b.hashing import ConcatenatedSha256, sha256_hex
from seg5b.refusals import pass_on_refusal
from seg5b.runs import RunRoot

Depth = Literal["content", "digest"]

_FLAG_NAME = "_passed.flag"
_MISSING = "5B.S0.UPSTREAM_GATE_MISSING"
_MISMATCH = "5B.S0.UPSTREAM_GATE_MISMATCH"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Where a segment's bundle lies. ``bundle_path`` and ``flag_path`` are rendered catalogue paths,
    ``folder``, ``index`` and ``flag`` the files behind them."""

    law: BundleLaw
    root: RunRoot
    bundle_path: str
    flag_path: str
    folder: Path
    index: Path
    flag: Path

    @property
    def base(self) -> Path:
        """Folder that the member paths start from."""
        return self.folder if self.law.base == "bundle" else self.root.path

    def mismatch(self, what: str, where: Path) -> GateError:
        """The one way in which a present bundle fails."""
        return GateError(
            _MISMATCH,
            f"segment {self.law.segment}: {what}",
            where=str(where),
            remedy=f"restore the bundle that segment {self.law.segment} published for this run, or rerun it",
        )

    def damaged(self, path: Path, damage: Exception) -> GateError:
        """`mismatch` in the words of a `DamageError` or `ValueError`."""
        return self.mismatch(f"{path.name} {damage}", path)


@dataclass(frozen=True, slots=True)
class VerifiedBundle:
    """What a passing bundle gave: its digest (64 hex digits), how many members its index lists, and how many
    of them were compared with bytes (fewer where a 3A member was pruned)."""

    digest: str
    listed: int
    compared: int


def locate(root: RunRoot, contracts: ContractSource, law: BundleLaw) -> Bundle:
    """Places of a bundle according to the 5B dictionary; the 2B entry names the index file, the others the
    folder."""
    dictionary, tokens = contracts.dictionary("5B"), root.identity.tokens()
    bundle_path = dictionary.entry(f"validation_bundle_{law.segment}").render(tokens)
    flag_path = dictionary.entry(f"validation_passed_flag_{law.segment}").render(tokens)
    place = root.resolve(bundle_path)
    folder = place.parent if place.suffix == ".json" else place
    return Bundle(law, root, bundle_path, flag_path, folder, folder / law.index_name, root.resolve(flag_path))


def verify_upstream_bundle(bundle: Bundle, contracts: ContractSource, depth: Depth) -> VerifiedBundle:
    """Verify one bundle.

    Raises `GateError`: ``5B.S0.UPSTREAM_GATE_MISSING`` when there is no bundle,
    ``5B.S0.UPSTREAM_GATE_MISMATCH`` for everything else that does not hold.
    """
    _check_present(bundle)
    index, members = _read_index(bundle, contracts)
    if bundle.law.digest == "bytes":
        _check_paths(bundle, members)
    if bundle.law.closed:
        _check_closed(bundle, members)
    digest, single = _digests(bundle, members)
    _check_flag(bundle, digest, depth)
    if depth == "digest":
        return VerifiedBundle(digest, len(members), 0)
    _check_identity(bundle, index)
    if bundle.law.digest == "declared":
        single = _digests_on_disk(bundle, members)
    return VerifiedBundle(digest, len(members), _compare(bundle, members, single))


def _check_present(bundle: Bundle) -> None:
    wanted = bundle.index if bundle.bundle_path.endswith(".json") else bundle.folder
    if not may_exist(wanted):
        raise GateError(
            _MISSING,
            f"segment {bundle.law.segment} has no validation bundle for this run",
            where=bundle.bundle_path,
            remedy=f"run segment {bundle.law.segment} to its validation state, or restore its bundle",
        )


def _read_index(bundle: Bundle, contracts: ContractSource) -> tuple[Any, tuple[BundleMember, ...]]:
    law = bundle.law
    try:
        index = read_json(bundle.index, bundle.root.path)
        items = listed_items(index, law)
        for instance in items if law.per_row else [index]:
            contracts.validate(law.index_schema, instance, code=_MISMATCH, where=str(bundle.index), error=GateError)
        return index, read_members(items, law)
    except (DamageError, ValueError) as cause:
        raise bundle.damaged(bundle.index, cause) from cause


def _check_paths(bundle: Bundle, members: tuple[BundleMember, ...]) -> None:
    for member in members:
        reason = unsafe_path(member.path)
        if reason:
            raise bundle.mismatch(f"index path {member.path!r} {reason}", bundle.index)


def _check_closed(bundle: Bundle, members: tuple[BundleMember, ...]) -> None:
    """The folder and the index name the same files; the index counts only when it lists itself."""
    listed = {member.path for member in members}
    try:
        files = regular_files(bundle.folder, bundle.root.path)
    except DamageError as cause:
        raise bundle.damaged(bundle.folder, cause) from cause
    present = {path.relative_to(bundle.folder).as_posix() for path in files if path.name != _FLAG_NAME}
    if bundle.law.index_name not in listed:
        present.discard(bundle.law.index_name)
    if present != listed:
        absent, extra = sorted(listed - present), sorted(present - listed)
        raise bundle.mismatch(
            f"index and folder differ: listed but absent {absent[:3]}, present but not listed {extra[:3]} "
            f"({len(absent)} and {len(extra)} in all)",
            bundle.folder,
        )


def _digests(bundle: Bundle, members: tuple[BundleMember, ...]) -> tuple[str, dict[str, str]]:
    """The bundle's digest and, where its law reads bytes, the digest of each member by path."""
    running, single = ConcatenatedSha256(), {}
    if bundle.law.digest == "declared":
        return sha256_hex("".join(member.sha256_hex or "" for member in members).encode("ascii")), {}
    for member in members:
        path = bundle.base / member.path
        try:
            single[member.path] = add_member(running, checked_file(path, bundle.root.path))
        except AbsentError as cause:
            raise bundle.mismatch(f"index lists {member.path!r}, but the file does not exist", path) from cause
        except DamageError as cause:
            raise bundle.mismatch(f"index lists {member.path!r}, which {cause}", path) from cause
    return running.hexdigest(), single


def _check_flag(bundle: Bundle, digest: str, depth: Depth) -> None:
    fingerprint = bundle.root.identity.manifest_fingerprint if depth == "content" else None
    try:
        content = read_bytes(bundle.flag, bundle.root.path)
        flagged = json_flag_digest(content, fingerprint) if bundle.law.json_flag else text_flag_digest(content)
    except (DamageError, ValueError) as cause:
        raise bundle.damaged(bundle.flag, cause) from cause
    if flagged != digest:
        raise bundle.mismatch(f"the flag states digest {flagged}, the bundle's content gives {digest}", bundle.flag)


def _check_identity(bundle: Bundle, index: Any) -> None:
    """Identity that an index carries is this run's, and it does not contradict its own flag."""
    fields = index if isinstance(index, dict) else {}
    identity = bundle.root.identity
    expected = {
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "segment_id": bundle.law.segment,
    }
    for key, value in expected.items():
        if key in fields and fields[key] != value:
            raise bundle.mismatch(f"index has {key} {fields[key]!r}, this run has {value!r}", bundle.index)
    if fields.get("overall_status") == "FAIL":
        raise bundle.mismatch("index says overall_status FAIL beside a passed flag", bundle.index)


def _digests_on_disk(bundle: Bundle, members: tuple[BundleMember, ...]) -> dict[str, str]:
    """Digest of each 3A member that still exists: JSON by its canonical form, other files by their bytes, a
    folder by the bytes of all its files in path order."""
    _check_paths(bundle, members)
    digests = {}
    for member in members:
        path = bundle.base / member.path
        try:
            if not inside(path, bundle.root.path).exists():
                continue
            digests[member.path] = _declared_law(path, bundle.root.path)
        except (DamageError, OSError) as cause:
            pass_on_refusal(cause)
            raise bundle.mismatch(f"member {member.path!r} {cause}", path) from cause
    return digests


def _declared_law(path: Path, fence: Path) -> str:
    if path.is_dir():
        return concatenated_digest(regular_files(path, fence))
    if path.suffix == ".json":
        return sha256_hex(canonical_json(read_json(path, fence)))
    return concatenated_digest([checked_file(path, fence)])


def _compare(bundle: Bundle, members: tuple[BundleMember, ...], digests: dict[str, str]) -> int:
    """Check the digests that the index carries; returns how many were compared."""
    compared = 0
    for member in members:
        got = digests.get(member.path)
        if got is None or member.sha256_hex is None:
            continue
        if got != member.sha256_hex:
            raise bundle.mismatch(
                f"member {member.path!r} has digest {got}, the index says {member.sha256_hex}",
                bundle.base / member.path,
            )
        _check_size(bundle, member)
        compared += 1
    return compared


def _check_size(bundle: Bundle, member: BundleMember) -> None:
    """A stated size counts only where the digest is over the file's own bytes (not for 3A's canonical
    JSON)."""
    if member.size_bytes is None or bundle.law.digest == "declared":
        return
    size = (bundle.base / member.path).stat().st_size
    if size != member.size_bytes:
        raise bundle.mismatch(
            f"member {member.path!r} has {size} bytes, the index says {member.size_bytes}",
            bundle.base / member.path,
        )
