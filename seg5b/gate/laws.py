"""The seven upstream bundles: what each index looks like, which law its digest follows.

Source: docs/laws#upstream-bundles.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from seg5b.errors import shown
from seg5b.foreign_json import parse_json

_FLAG_LINE: Final = re.compile(r"sha256_hex = ([a-f0-9]{64})\s*")
_HEX64: Final = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True, slots=True)
class BundleLaw:
    """How one segment's bundle is read.

    ``listing``: key of the member list inside the index object; None when the index itself is the list.
    ``per_row``: the index schema describes one item of the list, not the list.
    ``base``: folder that member paths start from, the bundle's own or the run root.
    ``digest``: ``bytes`` = the members' contents one after the other in path order; ``declared`` = the
    members' digest texts one after the other in ``logical_id`` order.
    ``closed``: the folder holds nothing but the listed members, the flag and the index.
    """

    segment: str
    index_name: str
    index_schema: str
    listing: str | None
    base: Literal["bundle", "run"] = "bundle"
    digest: Literal["bytes", "declared"] = "bytes"
    closed: bool = False
    per_row: bool = False
    json_flag: bool = False


LAWS: Final[tuple[BundleLaw, ...]] = (
    BundleLaw(
        "1A",
        "index.json",
        "schemas.1A.yaml#/validation/validation_bundle_index_1A",
        None,
        closed=True,
        per_row=True,
    ),
    BundleLaw(
        "1B",
        "index.json",
        "schemas.1B.yaml#/validation/validation_bundle_index_1B",
        None,
        closed=True,
        per_row=True,
    ),
    BundleLaw("2A", "index.json", "schemas.2A.yaml#/validation/validation_bundle_index_2A", "files", closed=True),
    BundleLaw("2B", "index.json", "schemas.2B.yaml#/validation/validation_bundle_index_2B", None, base="run"),
    BundleLaw(
        "3A",
        "index.json",
        "schemas.layer1.yaml#/validation/validation_bundle_index_3A",
        "members",
        base="run",
        digest="declared",
    ),
    BundleLaw("3B", "index.json", "schemas.layer1.yaml#/validation/validation_bundle_index_3B", "members"),
    BundleLaw(
        "5A",
        "validation_bundle_index_5A.json",
        "schemas.layer2.yaml#/validation/validation_bundle_index_5A",
        "entries",
        json_flag=True,
    ),
)


@dataclass(frozen=True, slots=True)
class BundleMember:
    """One line of an index: ``path`` as written, and what the index says about the file."""

    path: str
    sha256_hex: str | None
    size_bytes: int | None
    logical_id: str


def listed_items(index: object, law: BundleLaw) -> list[Any]:
    """The raw member list of an index. Raises `ValueError` when the outer shape is another segment's."""
    items = index if law.listing is None else index.get(law.listing) if isinstance(index, dict) else None
    if isinstance(items, list):
        return items
    wanted = "an array" if law.listing is None else f"an object with the array {law.listing!r}"
    raise ValueError(f"is not {wanted}")


def read_members(items: list[Any], law: BundleLaw) -> tuple[BundleMember, ...]:
    """Members in the order of the segment's digest law. Raises `ValueError` for items of wrong form and for
    repeated paths or logical ids."""
    members = tuple(_member(item, law) for item in items)
    for name in ("path",) if law.digest == "bytes" else ("logical_id",):
        values = [getattr(member, name) for member in members]
        repeated = [value for value, times in Counter(values).items() if times > 1]
        if repeated:
            raise ValueError(f"lists {name} {shown(min(repeated))} more than once")
    if law.digest == "declared":
        return tuple(sorted(members, key=lambda member: member.logical_id))
    return tuple(sorted(members, key=lambda member: member.path))


def _member(item: object, law: BundleLaw) -> BundleMember:
    fields: Mapping[str, Any] = item if isinstance(item, dict) else {}
    path, logical_id = fields.get("path"), fields.get("logical_id", "")
    if not isinstance(path, str) or not isinstance(logical_id, str):
        raise ValueError(f"has an item without path: {str(item)[:120]}")
    digest, size = fields.get("sha256_hex"), fields.get("size_bytes")
    wants_digest = not law.per_row
    if wants_digest and not (isinstance(digest, str) and _HEX64.fullmatch(digest)):
        raise ValueError(f"has no usable sha256_hex for {path!r}")
    return BundleMember(path, digest if wants_digest else None, size, logical_id)


def unsafe_path(path: str) -> str | None:
    """Why a member path may not be followed, or None: it must be printable ASCII, relative, without ``..``,
    backslash or colon."""
    if not path:
        return "is empty"
    if not path.isascii() or not path.isprintable():
        return "is not printable ASCII"
    if path.startswith("/"):
        return "is absolute"
    if "\\" in path or ":" in path:
        return "holds a backslash or a colon"
    return "climbs with '..'" if ".." in path.split("/") else None


def text_flag_digest(content: bytes) -> str:
    """Digest named by the first line of a text flag. Raises `ValueError`."""
    lines = content.decode("utf-8").strip().splitlines()
    match = _FLAG_LINE.fullmatch(lines[0]) if lines else None
    if match is None:
        raise ValueError("has no first line 'sha256_hex = <64 hex digits>'")
    return match[1]


def json_flag_digest(content: bytes, manifest_fingerprint: str | None) -> str:
    """Digest named by a JSON flag (5A). With ``manifest_fingerprint`` given, the flag must carry the same
    one. Raises `ValueError`."""
    flag = parse_json(content)
    digest = flag.get("bundle_digest_sha256") if isinstance(flag, dict) else None
    if not (isinstance(digest, str) and _HEX64.fullmatch(digest)):
        raise ValueError("is not an object with bundle_digest_sha256 of 64 hex digits")
    if manifest_fingerprint is not None and flag.get("manifest_fingerprint") != manifest_fingerprint:
        raise ValueError(f"belongs to manifest_fingerprint {flag.get('manifest_fingerprint')!r}, not to this run")
    return digest
