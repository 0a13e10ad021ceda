"""What ``docs/validation.md`` says in tables: checks from the registry, faults from what ``tests/mutation`` measured."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from docs.generate.markdown import cell, code, table
from seg5b.validation import CHECKS, Check, Compute, Query, RowCondition
from seg5b.validation.records import ArrivalCondition
from tests.mutation.faults import FAULTS

PAGE = Path(__file__).resolve().parent.parent / "validation.md"
MEASURED = Path(__file__).resolve().parents[2] / "tests/mutation"


def validation_page() -> str:
    """The page with its tables written again. Raises ValueError where a mark is missing."""
    pinned: dict[str, list[str]] = json.loads((MEASURED / "expected.json").read_text("utf-8"))
    text = PAGE.read_text("utf-8")
    for name, content in (("faults", _faults(pinned)), ("checks", _checks(pinned)), ("unseen", _unseen(pinned))):
        marks = re.compile(rf"(<!-- {name}: .*? -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text, times = marks.subn(lambda match, put=content: f"{match[1]}\n{put}\n{match[2]}", text)  # type: ignore[misc]
        if times != 1:
            raise ValueError(f"{PAGE} has the marks of {name} {times} times")
    return text


def _status(named: list[str]) -> str:
    """Who notices a fault: S5, the score (by gates ``T1`` .. ``T20``), replay, or nobody."""
    if not named:
        return "nothing"
    if named == ["replay"]:
        return "replay"
    return "score" if all(re.fullmatch(r"T\d+", name) for name in named) else "S5"


def _faults(pinned: dict[str, list[str]]) -> str:
    """Faults by kind and by who notices."""
    kinds: dict[str, Counter[str]] = {}
    for name, fault in FAULTS.items():
        if name in pinned:
            kinds.setdefault(fault.kind, Counter())[_status(pinned[name])] += 1
    kinds["all"] = sum(kinds.values(), Counter[str]())
    statuses = ("S5", "score", "replay", "nothing")
    rows = [[kind, str(each.total()), *(str(each[status]) for status in statuses)] for kind, each in kinds.items()]
    return table(["kind", "planted", "noticed by S5", "by the score alone", "by replay alone", "by nothing"], rows)


def _checks(pinned: dict[str, list[str]]) -> str:
    """One row for each check, in the order of the pipeline."""
    named = Counter(check for checks in pinned.values() for check in checks)
    costs: dict[str, dict[str, float]] = json.loads((MEASURED / "costs.json").read_text("utf-8"))
    rows = [
        [code(c.check_id), cell(c.states), _cost(c), _share(costs["checks"].get(c.check_id)), str(named[c.check_id])]
        for c in CHECKS
    ]
    lanes = ", ".join(f"{name} {share:.0f} %" for name, share in costs["lanes"].items() if share >= 1)
    heads = ["check", "what must hold", "looks by", "of S5's time", "faults"]
    return f"Of the time of S5 by lane: {lanes}.\n\n{table(heads, rows)}"


def _share(percent: float | None) -> str:
    """Nothing for a check that has no time of its own."""
    if percent is None:
        return ""
    return "below 0.1 %" if percent < 0.1 else f"{percent:.1f} %"


def _cost(check: Check) -> str:
    probe = check.probe
    if isinstance(probe, RowCondition):
        return f"scan of {code(probe.counted or probe.table)}"
    if isinstance(probe, Query):
        return "query"
    if isinstance(probe, Compute):
        return "computation"
    return "walk over arrivals" if isinstance(probe, ArrivalCondition) else "walk over cells"


def _unseen(pinned: dict[str, list[str]]) -> str:
    """Faults that S5 does not notice, and who does."""
    rows = [
        [cell(name), cell(fault.does), _status(pinned[name])]
        for name, fault in FAULTS.items()
        if name in pinned and _status(pinned[name]) != "S5"
    ]
    return table(["fault", "what it does", "noticed by"], rows) if rows else "None.\n"
