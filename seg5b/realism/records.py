"""The result of one gate, and the scoreboard of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from seg5b.realism.laws import GateLaw


class Verdict(Enum):
    """``BLOCKED``: measured, but a hard gate before it failed, so it does not count. ``PENDING``: evidence that only
    other runs can give is missing."""

    PASS = "PASS"
    FAIL = "FAIL"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    BLOCKED = "BLOCKED"
    PENDING = "PENDING"


@dataclass(frozen=True, slots=True)
class GateResult:
    """One judged gate. ``value`` is what was measured (None when it could not be), ``shown`` the same as text;
    ``b`` and ``bplus`` whether it lies in the bands; ``extras`` more fields of the board; ``reason`` why it does not
    apply or could not be measured."""

    law: GateLaw
    value: Any
    shown: str
    b: bool
    bplus: bool
    source: str
    extras: Mapping[str, Any] = field(default_factory=dict)
    applicable: bool = True
    pending: bool = False
    blocked: bool = False
    reason: str = ""

    @property
    def gate_id(self) -> str:
        """``T1`` .. ``T20``."""
        return self.law.gate_id

    @property
    def verdict(self) -> Verdict:
        """Verdict from the bands and from what kept the gate from being judged."""
        if not self.applicable:
            return Verdict.NOT_APPLICABLE
        if self.pending:
            return Verdict.PENDING
        if self.blocked:
            return Verdict.BLOCKED
        return Verdict.PASS if self.b else Verdict.FAIL

    @property
    def graded(self) -> str:
        """The verdict as text, with ``B+`` behind a pass that lies in that band too."""
        better = self.verdict is Verdict.PASS and self.bplus
        return f"{self.verdict.value} B+" if better else self.verdict.value

    def as_json(self) -> dict[str, Any]:
        """Entry of the board (docs/laws#gate-board)."""
        return {
            "title": self.law.title,
            "class": self.law.weight.value,
            "veto": self.law.veto,
            "b_target": self.law.b,
            "bplus_target": self.law.bplus,
            "value": self.value,
            "value_fmt": self.shown,
            "b_pass": self.b,
            "bplus_pass": self.bplus,
            "verdict": self.verdict.value,
            "owner": self.law.owner,
            "source": self.source,
            **({"reason": self.reason} if self.reason else {}),
            **self.extras,
        }


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """All gates of a run in order of judgement. ``facts`` name the run and what was read; ``decision`` holds the labels
    and lists of `seg5b.realism.decide`; ``diagnostics`` the support of every window and every cell."""

    gates: Sequence[GateResult]
    facts: Mapping[str, Any]
    decision: Mapping[str, Any]
    diagnostics: Mapping[str, Any]

    def gate(self, gate_id: str) -> GateResult:
        """One gate by id."""
        return next(gate for gate in self.gates if gate.gate_id == gate_id)
