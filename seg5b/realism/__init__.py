"""Realism gates: how a run is judged beyond S5 (docs/laws#gate-table). `score_run` measures, judges and decides."""

from seg5b.realism.board import board_json, candidate_json, clipped_means, markdown, no_grade, write_boards
from seg5b.realism.laws import GATES, GateLaw, Weight
from seg5b.realism.records import GateResult, Scoreboard, Verdict
from seg5b.realism.score import require_realised, score_run

__all__ = [
    "GATES",
    "GateLaw",
    "GateResult",
    "Scoreboard",
    "Verdict",
    "Weight",
    "board_json",
    "candidate_json",
    "clipped_means",
    "markdown",
    "no_grade",
    "require_realised",
    "score_run",
    "write_boards",
]
