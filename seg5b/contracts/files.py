"""Strict reading of YAML and JSON: a repeated key or a number that is not finite is an error, never a last-one-wins."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from seg5b.errors import ContractError, Seg5bError

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):  # type: ignore[misc]
    """PyYAML's safe loader, refusing mappings that repeat a key."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        if isinstance(node, yaml.MappingNode):
            _refuse_repeats(self, node)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def _refuse_repeats(loader: Any, node: yaml.MappingNode) -> None:
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, Hashable) and key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} appears twice in one mapping", key_node.start_mark
            )
        if isinstance(key, Hashable):
            seen.add(key)


def load_yaml(
    path: Path, *, error: type[Seg5bError] = ContractError, code: str = "5B.S0.CATALOGUE_INCOMPLETE"
) -> dict[str, Any]:
    """A YAML file that holds one mapping.

    Parameters: ``error`` and ``code`` are what a missing or malformed file raises (also a repeated key, a
    non-finite number, or a top level that is not a mapping with text keys).
    """
    return _load(path, _parse_yaml, "YAML", error, code)


def load_json(
    path: Path, *, error: type[Seg5bError] = ContractError, code: str = "5B.S0.CATALOGUE_INCOMPLETE"
) -> dict[str, Any]:
    """A JSON file that holds one object. Parameters and errors as `load_yaml`."""
    return _load(path, _parse_json, "JSON", error, code)


def _load(path: Path, parse: Any, kind: str, error: type[Seg5bError], code: str) -> dict[str, Any]:
    try:
        document = parse(path.read_text("utf-8"))
        _check_mapping(document)
    except FileNotFoundError:
        raise error(
            code,
            f"{path.name} does not exist",
            where=str(path),
            remedy="restore the file or name another root",
        ) from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as cause:
        reason = " ".join(str(cause).split())
        raise error(
            code,
            f"{path.name} is not usable {kind}: {reason}",
            where=str(path),
            remedy=f"repair the file; it must hold one {kind} mapping without repeated keys",
        ) from cause
    return dict(document)


def _parse_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_StrictLoader)


def _parse_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_pairs)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"key {repeated[0]!r} appears twice in one object")
    return mapping


def _check_mapping(document: Any) -> None:
    if not isinstance(document, dict):
        raise ValueError(f"the top level is {type(document).__name__}, not a mapping")
    _check_values(document, "$", set())


def _check_values(value: Any, path: str, seen: set[int]) -> None:
    """Keys are text and numbers are finite; what YAML aliases share is visited once (``seen`` holds its ids)."""
    if isinstance(value, (dict, list)):
        if id(value) in seen:
            return
        seen.add(id(value))
    if isinstance(value, dict):
        for key, child in value.items():
            if not isinstance(key, str):
                raise ValueError(f"key {key!r} at {path} is not text; quote it")
            _check_values(child, f"{path}.{key}", seen)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _check_values(child, f"{path}[{index}]", seen)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{path} is {value}, not a finite number")
