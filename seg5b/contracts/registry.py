"""Artefact registry: who owns an artefact, its manifest key and its semantic version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seg5b.errors import ContractError

INCOMPLETE = "5B.S0.CATALOGUE_INCOMPLETE"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artefact: ``manifest_key``, ``owner_team`` (empty where the registry names none), ``semver``."""

    name: str
    manifest_key: str
    owner_team: str
    semver: str


@dataclass(frozen=True, slots=True)
class Registry:
    """All artefacts of one segment's registry, by name."""

    segment: str
    source: str
    artifacts: Mapping[str, Artifact]

    def artifact(self, name: str) -> Artifact:
        """Artefact by name. Raises `ContractError` ``5B.S0.CATALOGUE_INCOMPLETE`` when it is not listed."""
        try:
            return self.artifacts[name]
        except KeyError:
            raise ContractError(
                INCOMPLETE,
                f"the {self.segment} registry has no artefact {name!r}",
                where=self.source,
                remedy="add the artefact to the registry",
            ) from None


def parse_registry(document: Mapping[str, Any], segment: str, source: str) -> Registry:
    """Registry from its YAML mapping ``subsegments: [{artifacts: [...]}]``.

    Raises `ContractError` ``5B.S0.CATALOGUE_INCOMPLETE`` for another shape, a missing key, or a repeated name.
    """
    artifacts: dict[str, Artifact] = {}
    for item in _items(document, source):
        artifact = _artifact(item, source)
        if artifact.name in artifacts:
            raise _bad(f"artefact {artifact.name!r} is listed twice", source)
        artifacts[artifact.name] = artifact
    return Registry(segment, source, artifacts)


def _items(document: Mapping[str, Any], source: str) -> list[Mapping[str, Any]]:
    subsegments = document.get("subsegments")
    if not isinstance(subsegments, list):
        raise _bad("the registry has no list under 'subsegments'", source)
    items: list[Mapping[str, Any]] = []
    for subsegment in subsegments:
        listed = subsegment.get("artifacts") if isinstance(subsegment, dict) else None
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise _bad("a subsegment has no list of mappings under 'artifacts'", source)
        items += listed
    return items


def _artifact(item: Mapping[str, Any], source: str) -> Artifact:
    for key in ("name", "manifest_key"):
        if not isinstance(item.get(key), str) or not item[key]:
            raise _bad(f"artefact {item.get('name')!r} has no text under {key!r}", source)
    owner = item.get("owner")
    teams = owner if isinstance(owner, dict) else {}
    team = teams.get("team") or teams.get("owner_team") or ""
    semver = item.get("semver")
    return Artifact(item["name"], item["manifest_key"], str(team), "" if semver is None else str(semver))


def _bad(what: str, source: str) -> ContractError:
    return ContractError(INCOMPLETE, what, where=source, remedy="repair the registry")
