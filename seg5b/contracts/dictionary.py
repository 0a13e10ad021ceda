"""Dataset dictionary: what each dataset is called, where it lies, how it is partitioned and described."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from seg5b.canonical_json import canonical_json
from seg5b.errors import ContractError
from seg5b.hashing import sha256_hex

INCOMPLETE = "5B.S0.CATALOGUE_INCOMPLETE"
EVENTS = "rng_event_"
"""How ids of event logs begin."""
_TOKEN = re.compile(r"\{([A-Za-z_]+)\}")
_PATTERN = re.compile(r"(?<=/)[^/]*\*[^/]*\Z")
_UNSAFE = re.compile(r"[/\\{}\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One dataset of a dictionary.

    ``path`` is the raw template; ``partitioning`` are column names (empty where the dictionary gives none);
    ``version`` is the text that policy versions are matched against.
    """

    id: str
    path: str
    partitioning: tuple[str, ...]
    schema_ref: str
    owner_subsegment: str
    version: str
    format: str

    @property
    def tokens(self) -> tuple[str, ...]:
        """Names of the tokens in ``path``, in order of appearance."""
        return tuple(dict.fromkeys(_TOKEN.findall(self.path)))

    def render(self, tokens: Mapping[str, str]) -> str:
        """``path`` with each ``{token}`` replaced by its value, surrounding space trimmed (docs/laws#path-resolution). Of a
        path that ends in a pattern of file names (``part-*.parquet``), the folder of those files.

        Raises `ContractError` ``5B.CONTRACT.PATH_TOKEN_MISSING`` for a token without a value and
        ``5B.CONTRACT.PATH_TOKEN_INVALID`` for a value that is empty or would change the folder structure.
        """
        values = {}
        for name in self.tokens:
            if name not in tokens:
                raise ContractError(
                    "5B.CONTRACT.PATH_TOKEN_MISSING",
                    f"path of {self.id} needs a value for {{{name}}}",
                    where=self.path,
                    remedy=f"pass {name}, or use a dataset that is not partitioned by it",
                )
            values[name] = _safe_value(self, name, str(tokens[name]).strip())
        return _TOKEN.sub(lambda match: values[match[1]], _PATTERN.sub("", self.path.strip()))

    def above_scenarios(self, tokens: Mapping[str, str]) -> str:
        """The part of the path that all scenarios share, rendered. Errors as `render`."""
        return replace(self, path=self.path.split("scenario_id=")[0]).render(tokens)


def _safe_value(entry: Entry, name: str, value: str) -> str:
    if not value or value in (".", "..") or _UNSAFE.search(value):
        raise ContractError(
            "5B.CONTRACT.PATH_TOKEN_INVALID",
            f"{name}={value!r} cannot be part of the path of {entry.id}",
            where=entry.path,
            remedy="use a value without slashes, braces or control characters",
        )
    return value


@dataclass(frozen=True, slots=True)
class Dictionary:
    """All entries of one segment's dictionary, by id."""

    segment: str
    source: str
    entries: Mapping[str, Entry]

    def entry(self, dataset_id: str) -> Entry:
        """Entry of a dataset. Raises `ContractError` ``5B.S0.CATALOGUE_INCOMPLETE`` when it is not listed."""
        try:
            return self.entries[dataset_id]
        except KeyError:
            raise ContractError(
                INCOMPLETE,
                f"the {self.segment} dictionary has no dataset {dataset_id!r}",
                where=self.source,
                remedy="add the entry to the dictionary",
            ) from None


def parse_dictionary(document: Mapping[str, Any], segment: str, source: str) -> Dictionary:
    """Dictionary from its YAML mapping: the items of every top-level list that are mappings with an ``id``.

    Raises `ContractError` ``5B.S0.CATALOGUE_INCOMPLETE`` for an entry without path or schema, or a repeated id.
    """
    entries: dict[str, Entry] = {}
    for section in document.values():
        for item in section if isinstance(section, list) else ():
            if not isinstance(item, dict) or "id" not in item:
                continue
            entry = _entry(item, source)
            if entry.id in entries:
                raise _bad(f"dataset {entry.id!r} is listed twice", source)
            entries[entry.id] = entry
    return Dictionary(segment, source, entries)


def _entry(item: Mapping[str, Any], source: str) -> Entry:
    for key in ("id", "path", "schema_ref"):
        if not isinstance(item.get(key), str) or not item[key]:
            raise _bad(f"dataset {item.get('id')!r} has no text under {key!r}", source)
    for key in ("ordering", "primary_key"):
        _names(item, key, source)
    return Entry(
        id=item["id"],
        path=item["path"],
        partitioning=_names(item, "partitioning", source),
        schema_ref=item["schema_ref"],
        owner_subsegment=str(item.get("owner_subsegment") or "5B"),
        version="" if item.get("version") is None else str(item["version"]),
        format=str(item.get("format") or ""),
    )


def _names(item: Mapping[str, Any], key: str, source: str) -> tuple[str, ...]:
    value = item.get(key) or []
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _bad(f"{key} of dataset {item['id']!r} is not a list of names", source)
    return tuple(value)


def _bad(what: str, source: str) -> ContractError:
    return ContractError(INCOMPLETE, what, where=source, remedy="repair the dictionary entry")


def structural_digest(entry: Entry, manifest_key: str) -> str:
    """SHA-256 (64 hex digits) of what a dataset is, without its data (docs/laws#structural-digest).

    Hashed: the ASCII JSON object of artifact_id, manifest_key, schema_ref, path_template and partition_keys, keys
    sorted, separators ``,`` and ``:``. A constant of the contract files.
    """
    subject = {
        "artifact_id": entry.id,
        "manifest_key": manifest_key,
        "schema_ref": entry.schema_ref,
        "path_template": entry.path,
        "partition_keys": list(entry.partitioning),
    }
    return sha256_hex(canonical_json(subject))
