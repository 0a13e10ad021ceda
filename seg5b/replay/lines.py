"""Two logs of JSON lines beside each other."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import Any

from seg5b.errors import brief, shown
from seg5b.foreign_json import parse_json


def lines_difference(found: Path, wanted: Path, *, some: bool = False) -> str:
    """What differs first between a log and the one that it should be; empty if nothing does.

    ``some``: the log may have lines that ``wanted`` lacks, and lines are looked for anywhere. Both are read line by line.
    Raises `OSError`.
    """
    with found.open("rb") as one, wanted.open("rb") as other:
        if some:
            known = set(one)
            lost = [line for line in other if line not in known]
            return f"lacks a line: {_cut(lost[0])}" if lost else ""
        for number, (line, own) in enumerate(zip_longest(one, other), 1):
            if line != own:
                return brief(f"line {number}: {_told(line, own)}")
    return ""


def _told(line: bytes | None, own: bytes | None) -> str:
    if own is None:
        return f"is one too many: {_cut(line)}"
    if line is None:
        return f"is missing: {_cut(own)}"
    record, wanted = _record(line), _record(own)
    if record is None or wanted is None:
        return f"is {_cut(line)}, made again {_cut(own)}"
    odd = sorted(key for key in record.keys() | wanted.keys() if record.get(key) != wanted.get(key))
    told = [f"{key} is {shown(record.get(key))}, made again {shown(wanted.get(key))}" for key in odd]
    return ", ".join(told) or "is written otherwise"


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = parse_json(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _cut(line: bytes | None) -> str:
    return brief((line or b"").decode("utf-8", "replace"), 200)
