"""The small tables that are kept of a scan. Texts are dictionary-coded, any column may be null, and a key may come twice:
whoever reads several scans adds up the rows of equal keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from seg5b.foreign_json import COUNT, Form, Leaf
from seg5b.part_scan.loops import NAMED
from seg5b.tables import Coded, Masked
from seg5b.tables.columns import Column, text_values
from seg5b.tables.reading import Kind


@dataclass(frozen=True, slots=True)
class PartTable:
    """A table of a scan, ready to be written: the kind and the content of each column."""

    kinds: Mapping[str, Kind]
    columns: Mapping[str, Column]
    rows: int


@dataclass(frozen=True, slots=True)
class PartTables:
    """What is kept of a scan: its tables by name, and its facts, which JSON can hold."""

    tables: Mapping[str, PartTable]
    facts: Mapping[str, Any]


REAL: Final = Leaf("a number of any kind", lambda value: isinstance(value, float))
"""A float in facts, also one that is not finite, which JSON does not know: `seg5b.part_scan.kept` writes it in its way."""


def tuple_of(*leaves: Leaf) -> Leaf:
    """The form of an array with these values."""
    words = f"an array of {', '.join(leaf.words for leaf in leaves)}"

    def holds(value: Any) -> bool:
        alike = isinstance(value, list | tuple) and len(value) == len(leaves)
        return alike and all(leaf.holds(each) for leaf, each in zip(leaves, value, strict=True))

    return Leaf(words, holds)


def faults_form(names: Sequence[str]) -> Form:
    """The form of `fault_facts`."""
    return {name: {"rows": COUNT, "places": [COUNT]} for name in names}


def column_of(kind: Kind, numbers: np.ndarray, absent: np.ndarray | None = None, texts: Sequence[str] = ()) -> Column:
    """A column of a kind from int64 [n], a text being its place in ``texts`` (-1: null); ``absent`` bool [n]: nulls."""
    whole = np.ascontiguousarray(numbers)
    if kind is Kind.TEXT:
        return Coded(whole.astype(np.int32), text_values(texts))
    typed = whole.view(np.uint64) if kind is Kind.ID else whole.astype(np.uint8) if kind is Kind.FLAG else whole
    return typed if absent is None or not absent.any() else Masked(typed, ~absent)


def fault_facts(names: Sequence[str], rows: np.ndarray, places: np.ndarray) -> dict[str, Any]:
    """By condition the number of ``rows`` that violate it and the ``places`` of the first ten (`loops.count_faults`)."""
    return {
        name: {"rows": int(rows[k]), "places": places[k, : min(int(rows[k]), NAMED)].tolist()}
        for k, name in enumerate(names)
    }
