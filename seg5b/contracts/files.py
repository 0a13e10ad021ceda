"""Strict reading of YAML and JSON contracts and policies (law L16): a repeated key, a number that is not finite or that
YAML 1.1 reads otherwise than it is written, or a text that unfolds beyond its limits is an error."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

import yaml

from seg5b.errors import ContractError, Seg5bError, brief, shown
from seg5b.foreign_json import DEEPEST, MOST_DIGITS, read_at_most, read_json
from seg5b.refusals import pass_on_refusal

MOST_YAML_BYTES: Final = 1 << 23
MOST_YAML_NODES: Final = 1_000_000
"""Values of a document once every alias is written out, keys included."""

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NUMBERS: Final = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_PLAIN: Final = (*_NUMBERS, "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null", "tag:yaml.org,2002:timestamp")
_OTHERWISE: Final = re.compile(r"[-+]?0[0-9_]+|.*:.*", re.ASCII)
"""Octal and sexagesimal numbers of YAML 1.1: 010 is 8 and 1:00:00 is 3600."""


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
                None, None, f"key {shown(key)} appears twice in one mapping", key_node.start_mark
            )
        if isinstance(key, Hashable):
            seen.add(key)


def load_yaml(
    path: Path, *, error: type[Seg5bError] = ContractError, code: str = "5B.S0.CATALOGUE_INCOMPLETE"
) -> dict[str, Any]:
    """A YAML file that holds one mapping.

    Parameters: ``error`` and ``code`` are what a missing or malformed file raises (also a repeated key, a
    non-finite, octal or sexagesimal number, a file or unfolded document beyond its limit, or a top level that is not a
    mapping with text keys).
    """
    return _load(path, _read_yaml, "YAML", error, code)


def load_json(
    path: Path, *, error: type[Seg5bError] = ContractError, code: str = "5B.S0.CATALOGUE_INCOMPLETE"
) -> dict[str, Any]:
    """A JSON file that holds one object. Parameters and errors as `load_yaml`."""
    return _load(path, read_json, "JSON", error, code)


def _load(path: Path, read: Any, kind: str, error: type[Seg5bError], code: str) -> dict[str, Any]:
    try:
        document = read(path)
        _check_mapping(document)
    except FileNotFoundError:
        raise error(
            code,
            f"{path.name} does not exist",
            where=str(path),
            remedy="restore the file or name another root",
        ) from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as cause:
        pass_on_refusal(cause)
        raise error(
            code,
            f"{path.name} is not usable {kind}: {brief(' '.join(str(cause).split()))}",
            where=str(path),
            remedy=f"repair the file; it must hold one {kind} mapping without repeated keys",
        ) from cause
    return dict(document)


def _read_yaml(path: Path) -> Any:
    if not path.is_file() and path.exists():
        raise ValueError("is not a regular file")
    with path.open("rb") as file:
        content = read_at_most(file, MOST_YAML_BYTES)
    return parse_yaml(content)


def parse_yaml(content: bytes) -> Any:
    """The value of a YAML document. Raises `ValueError` or `yaml.YAMLError` for what `load_yaml` refuses."""
    if len(content) > MOST_YAML_BYTES:
        raise ValueError(f"more than {MOST_YAML_BYTES} bytes")
    loader = _StrictLoader(content.decode("utf-8"))
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _Unfolded(loader).nodes(node, 0)
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _Unfolded:
    """How large a document is with every alias written out: what merges, checks and prints it takes that many steps."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._known: dict[int, int] = {}
        self._open: set[int] = set()

    def nodes(self, node: yaml.Node, depth: int) -> int:
        """Nodes below ``node``, itself included. Raises `ValueError` beyond the limits and for numbers that are not
        what they look like."""
        if isinstance(node, yaml.ScalarNode):
            self._check_scalar(node)
            return 1
        if id(node) in self._open:
            raise ValueError(f"line {node.start_mark.line + 1} holds itself")
        if depth > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} deep")
        if id(node) not in self._known:
            self._open.add(id(node))
            pairs = node.value if isinstance(node, yaml.MappingNode) else [(child,) for child in node.value]
            self._known[id(node)] = 1 + sum(self.nodes(child, depth + 1) for pair in pairs for child in pair)
            self._open.discard(id(node))
        if self._known[id(node)] > MOST_YAML_NODES:
            raise ValueError(f"its aliases unfold to more than {MOST_YAML_NODES} values")
        return self._known[id(node)]

    def _check_scalar(self, node: yaml.ScalarNode) -> None:
        if node.tag not in _PLAIN:
            return
        at = f"{shown(node.value)} in line {node.start_mark.line + 1}"
        if self._loader.resolve(yaml.ScalarNode, node.value, (True, False)) != node.tag:
            raise ValueError(f"{at} is not of its tag {node.tag.rpartition(':')[2]}")
        if node.tag in _NUMBERS and _OTHERWISE.fullmatch(node.value):
            raise ValueError(f"{at} is an octal or sexagesimal number to YAML; write it in decimal digits, or quote it")
        if node.tag in _NUMBERS and len(node.value) > MOST_DIGITS:
            raise ValueError(f"{at} has more than {MOST_DIGITS} digits")


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
                raise ValueError(f"key {shown(key)} at {path} is not text; quote it")
            _check_values(child, f"{path}.{brief(key, 80)}", seen)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _check_values(child, f"{path}[{index}]", seen)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{path} is {value}, not a finite number")
