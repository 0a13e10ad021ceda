"""One contracts root in one layout: its dictionaries, registries and schemas, read once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

from jsonschema import Draft202012Validator
from referencing.exceptions import Unresolvable

from seg5b.contracts import layout as places
from seg5b.contracts.dictionary import INCOMPLETE, Dictionary, parse_dictionary
from seg5b.contracts.files import load_yaml
from seg5b.contracts.registry import Registry, parse_registry
from seg5b.contracts.schemas import pack_registry, readable, validator_for
from seg5b.errors import ContractError, InputError, Seg5bError
from seg5b.resources import resource_root

ADDITIONS: Final = ("sealed_content_5B", "rng_event_arrival_edge_temper")
"""Datasets of 5B that other engines' contracts do not know: where a contracts root lacks one, the packaged contracts describe
it."""
WRITTEN_OTHERWISE: Final[Mapping[str, tuple[str, ...]]] = {
    "s4_arrival_anomalies_5B": ("anomaly_id", "context"),
    "validation_issue_table_5B": ("context",),
}
"""Columns, by dataset, of another form than other engines' contracts say: numbered texts for whole numbers, and JSON text for
an object, whose keys would be another from row to row. The packaged contracts judge them."""


@dataclass(frozen=True, slots=True)
class ContractSource:
    """Contracts below ``root`` in ``layout``. What was read stays in memory; files are not read twice."""

    root: Path
    layout: str
    _loaded: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def packaged(cls) -> ContractSource:
        """The contracts shipped with this code, read once per process."""
        return _packaged()

    @classmethod
    def open(cls, root: Path, layout: str) -> ContractSource:
        """Contracts below another root. Raises `ContractError` ``5B.CONTRACT.LAYOUT_UNKNOWN``."""
        if layout not in places.LAYOUTS:
            raise ContractError(
                "5B.CONTRACT.LAYOUT_UNKNOWN",
                f"there is no contracts layout {layout!r}",
                where=str(root),
                remedy=f"use one of: {', '.join(places.LAYOUTS)}",
            )
        return cls(root, layout)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process reads them again, packaged ones from where it has its own."""
        return (_packaged, ()) if self == _packaged() else (ContractSource.open, (self.root.absolute(), self.layout))

    def dictionary(self, segment: str = "5B") -> Dictionary:
        """Dataset dictionary; that of 5B with those `ADDITIONS` that it lacks. Raises `ContractError``
        ``5B.S0.CATALOGUE_INCOMPLETE`` if it is missing or wrong."""
        key = f"dictionary {segment}"
        if key not in self._loaded:
            path = self._at(places.dictionary_path(self.layout, segment))
            stated = parse_dictionary(load_yaml(path), segment, str(path))
            self._loaded[key] = self._completed(stated) if segment == "5B" else stated
        dictionary: Dictionary = self._loaded[key]
        return dictionary

    def added(self) -> tuple[str, ...]:
        """Those of `ADDITIONS` that this root lacks, so that the packaged contracts describe them; none for the packaged
        ones. Raises as `dictionary`."""
        self.dictionary()
        added: tuple[str, ...] = self._loaded["added"]
        return added

    def _completed(self, stated: Dictionary) -> Dictionary:
        self._loaded["added"] = tuple(name for name in ADDITIONS if name not in stated.entries)
        if not self._loaded["added"]:
            return stated
        own = _packaged().dictionary()
        added = {name: own.entry(name) for name in self._loaded["added"]}
        return replace(stated, entries={**stated.entries, **added})

    def registry(self, segment: str = "5B") -> Registry:
        """Artefact registry. Raises `ContractError` ``5B.S0.CATALOGUE_INCOMPLETE`` if it is missing or wrong."""
        key = f"registry {segment}"
        if key not in self._loaded:
            path = self._at(places.registry_path(self.layout, segment))
            self._loaded[key] = parse_registry(load_yaml(path), segment, str(path))
        registry: Registry = self._loaded[key]
        return registry

    def check_complete(self) -> None:
        """Read everything that S0 demands: all packs, the eight dictionaries, the 5B registry.

        Raises `ContractError` ``5B.S0.CATALOGUE_INCOMPLETE`` for the first file that is missing or malformed.
        """
        self._packs()
        for segment in places.DICTIONARY_SEGMENTS[1:]:
            load_yaml(self._at(places.dictionary_path(self.layout, segment)))
        self.dictionary()
        self.registry(places.REGISTRY_SEGMENT)

    def pack_version(self, kind: str) -> str:
        """``version`` of the pack ``schemas.<kind>.yaml``; empty where it states none."""
        return str(self._packs().get(f"schemas.{kind}.yaml", {}).get("version") or "")

    def schema(self, schema_ref: str) -> dict[str, Any]:
        """The plain JSON Schema behind ``schemas.<K>.yaml#/<anchor>`` (shorthands rewritten, references kept).

        Raises `ContractError` ``5B.S0.CATALOGUE_INCOMPLETE`` for an unknown pack or anchor.
        """
        if self._is_added(schema_ref):
            return _packaged().schema(schema_ref)
        pack, separator, anchor = schema_ref.partition("#")
        problem = None
        if pack not in self._packs():
            problem = f"schema_ref {schema_ref!r} names no known pack"
        elif not separator or not anchor.startswith("/"):
            problem = f"schema_ref {schema_ref!r} has no anchor that starts with '#/'"
        else:
            try:
                schema = self._resolver().resolver().lookup(schema_ref).contents
            except Unresolvable:
                problem = f"schema_ref {schema_ref!r} points to nothing"
            else:
                if isinstance(schema, dict):
                    return schema
                problem = f"schema_ref {schema_ref!r} points to {type(schema).__name__}, not to a schema"
        raise ContractError(INCOMPLETE, problem, where=str(self.root), remedy="repair the reference or the pack")

    def validator(self, schema_ref: str) -> Draft202012Validator:
        """Validator for instances of ``schema_ref``, made once. Raises as `schema`."""
        if self._is_added(schema_ref):
            return _packaged().validator(schema_ref)
        key = f"validator {schema_ref}"
        if key not in self._loaded:
            self.schema(schema_ref)
            self._loaded[key] = validator_for(schema_ref, self._resolver())
        validator: Draft202012Validator = self._loaded[key]
        return validator

    def validate(
        self,
        schema_ref: str,
        instance: Any,
        *,
        code: str,
        where: str,
        error: type[Seg5bError] = InputError,
        remedy: str = "",
        apart: Collection[str] = (),
    ) -> None:
        """Check an instance, all but the values of the keys ``apart``; silence means valid.

        Raises ``error`` with ``code``, naming the first offending place as a JSON path and how many there are;
        `ContractError` as `schema` when the reference itself is wrong or leads nowhere.
        """
        try:
            found = self.validator(schema_ref).iter_errors(instance)
            kept = (each for each in found if not (each.path and each.path[0] in apart))
            problems = sorted(kept, key=lambda problem: str(problem.json_path))
        except Unresolvable as cause:
            raise ContractError(
                INCOMPLETE,
                f"{schema_ref} refers to {cause.ref!r}, which does not exist",
                where=str(self.root),
                remedy="repair the reference in the schema pack",
            ) from cause
        if problems:
            rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise error(
                code,
                f"{readable(problems[0])}{rest}",
                where=where,
                remedy=remedy or f"make it conform to {schema_ref}",
            )

    def validate_row(
        self,
        dataset_id: str,
        row: Mapping[str, Any],
        *,
        code: str,
        where: str,
        error: type[Seg5bError] = InputError,
        remedy: str = "",
    ) -> None:
        """Check one row or record of a dataset of 5B's dictionary (docs/laws#schema-forms). A schema that describes the whole
        dataset, as an array or a stream, judges the row by what it says of its items. Of another engine's contracts, keys that
        a closed schema does not know and the packaged one does, and those of `WRITTEN_OTHERWISE`, are left to the packaged
        one, which sees the whole row.

        Raises as `validate`.
        """
        schema_ref, otherwise = self.row_ref(dataset_id), WRITTEN_OTHERWISE.get(dataset_id, ())
        own = {key for key in self._further_keys(dataset_id, schema_ref) if key in row}
        foreign = self != _packaged()
        if foreign and (own or otherwise):
            _packaged().validate_row(dataset_id, row, code=code, where=where, error=error, remedy=remedy)
        known = {key: value for key, value in row.items() if key not in own}
        apart = otherwise if foreign else ()
        self.validate(schema_ref, known, code=code, where=where, error=error, remedy=remedy, apart=apart)

    def row_ref(self, dataset_id: str) -> str:
        """Reference to the schema of one row of a dataset: its own, or within it that of an array's items or a stream's
        record. Raises as `schema`, and as `Dictionary.entry`."""
        schema_ref = self.dictionary().entry(dataset_id).schema_ref
        inner = _ROWS_OF.get(str(self.schema(schema_ref).get("type")))
        return schema_ref if inner is None else f"{schema_ref}/{inner}"

    def _further_keys(self, dataset_id: str, schema_ref: str) -> set[str]:
        """Keys that the packaged row schema of a dataset names and this one, being closed, does not admit."""
        schema = self.schema(schema_ref)
        if False not in (schema.get("additionalProperties"), schema.get("unevaluatedProperties")):
            return set()
        own = _packaged()
        named = own.schema(own.row_ref(dataset_id)).get("properties", {})
        return set(named) - set(schema.get("properties", {}))

    def _is_added(self, schema_ref: str) -> bool:
        """Whether a reference is that of an addition, whose schema is the packaged one."""
        return any(self.dictionary().entry(name).schema_ref == schema_ref for name in self.added())

    def _packs(self) -> dict[str, dict[str, Any]]:
        if "packs" not in self._loaded:
            self._loaded["packs"] = {
                pack.file_name: load_yaml(self._at(places.pack_path(self.layout, pack))) for pack in places.PACKS
            }
        packs: dict[str, dict[str, Any]] = self._loaded["packs"]
        return packs

    def _resolver(self) -> Any:
        if "resolver" not in self._loaded:
            self._loaded["resolver"] = pack_registry(self._packs())
        return self._loaded["resolver"]

    def _at(self, relative: PurePosixPath) -> Path:
        return self.root / relative


_ROWS_OF: Final = {"array": "items", "stream": "record"}
"""Where a schema of a whole dataset says what one row is, by its type."""


@cache
def _packaged() -> ContractSource:
    return ContractSource(resource_root(), places.CONTRACTS)
