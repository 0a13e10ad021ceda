"""Faults and who noticed them, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.mutation.records import Fault, Noticed

_MOST = 4


def table(faults: Mapping[str, Fault], found: Mapping[str, Noticed]) -> str:
    """One row for each fault, and how many each noticed of every kind."""
    kinds: dict[str, Counter[str]] = {}
    for name, fault in faults.items():
        kinds.setdefault(fault.kind, Counter())[found[name].status] += 1
    total = sum(kinds.values(), Counter[str]())
    lines = ["| fault | what it does | noticed by | seconds |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {fault.does} | {by(found[name])} | {found[name].seconds:.0f} |" for name, fault in faults.items()
    ]
    statuses = ("S5", "score", "replay", "nothing")
    lines += ["", f"| kind | faults | {' | '.join(statuses)} |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {kind} | {each.total()} | {' | '.join(str(each[status]) for status in statuses)} |"
        for kind, each in [*kinds.items(), ("all", total)]
    ]
    return "\n".join(lines) + "\n"


def by(noticed: Noticed) -> str:
    """Who noticed, in a cell."""
    names = [f"`{name}`" for name in noticed.named[:_MOST]]
    more = [f"and {len(noticed.named) - _MOST} more"] if len(noticed.named) > _MOST else []
    return {"S5": "", "score": "score: ", "replay": "", "nothing": "nothing"}[noticed.status] + ", ".join(names + more)
