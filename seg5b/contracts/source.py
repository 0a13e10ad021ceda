"""One contracts root in one layout: its dictionaries, registries and schemas, read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from jsonschema import Draft202012Validator
from referencing.exceptions import Unresolvable

from seg5b.contracts import layout as places
from seg5b.contracts.dictionary import INCOMPLETE, Dictionary, parse_dictionary
from seg5b.contracts.files import load_yaml
from seg5b.contracts.registry import Registry, parse_registry
from seg5b.contracts.schemas import pack_registry, readable, validator_for
from seg5b.errors import ContractError, InputError, Seg5bError
from seg5b.resources import resource_root


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
        """Dataset dictionary. Raises `ContractError` ``5B.S0.CATALOGUE_INCOMPLETE`` if it is missing or wrong."""
        key = f"dictionary {segment}"
        if key not in self._loaded:
            path = self._at(places.dictionary_path(self.layout, segment))
            self._loaded[key] = parse_dictionary(load_yaml(path), segment, str(path))
        dictionary: Dictionary = self._loaded[key]
        return dictionary

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
    ) -> None:
        """Check an instance; silence means valid.

        Raises ``error`` with ``code``, naming the first offending place as a JSON path and how many there are;
        `ContractError` as `schema` when the reference itself is wrong or leads nowhere.
        """
        try:
            problems = sorted(self.validator(schema_ref).iter_errors(instance), key=lambda p: str(p.json_path))
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


@cache
def _packaged() -> ContractSource:
    return ContractSource(resource_root(), places.CONTRACTS)
