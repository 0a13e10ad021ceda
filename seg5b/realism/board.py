"""Boards as JSON and Markdown (docs/laws#gate-board)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seg5b.realism import laws
from seg5b.realism.files import write_realism_report
from seg5b.realism.owners import owner_csv, owner_rows, repairs
from seg5b.realism.protocol import candidate_protocol, clock_contract, contract_lock
from seg5b.realism.records import GateResult, Scoreboard
from seg5b.runs.records import utc_text
from seg5b.runs.root import RunRoot

BOARD = "gateboard.json"
CANDIDATE_BOARD = "gateboard_p2.json"
WORTH_TELLING = 0.001
_P2_GATES = (*laws.FROZEN, *laws.PRIMARY, "T8", "T9")


def board_json(board: Scoreboard) -> dict[str, Any]:
    """The board with all gates: the reference's fields (docs/laws#gate-board), our gates and grade beside them."""
    decision = dict(board.decision)
    return {
        "generated_utc": utc_text(datetime.now(UTC)),
        "phase": "P1",
        "segment": "5B",
        "run": board.facts["run"],
        "baseline_sources": board.facts["baseline_sources"],
        "gates": {gate.gate_id: gate.as_json() for gate in board.gates},
        "order": [gate.gate_id for gate in board.gates],
        "summary": {**_summary(board), **{k: v for k, v in decision.items() if k not in ("p2", "baseline")}},
        "p2": decision["p2"],
        "baseline_delta_vs_p0": {k: v for k, v in decision["baseline"].items() if k in ("T1", "T2", "T3")},
    }


def candidate_json(board: Scoreboard, label: str, baseline_path: str | None) -> dict[str, Any]:
    """The candidate board (docs/laws#gate-board); ours are listed beside, T10 is absent."""
    gates = {gate.gate_id: gate.as_json() for gate in board.gates if gate.gate_id in (*_P2_GATES, *laws.OWN)}
    return {
        "generated_utc": utc_text(datetime.now(UTC)),
        "phase": "P2",
        "segment": "5B",
        "run": board.facts["run"],
        "candidate": {
            "label": label,
            "suffix": "",
            "source_p1_gateboard": BOARD,
            "baseline_p1_gateboard": baseline_path,
        },
        "gates": gates,
        "summary": dict(board.decision["p2"]),
        **(
            {"baseline_delta_vs_p1_baseline": {k: board.decision["baseline"].get(k) for k in laws.PRIMARY}}
            if baseline_path
            else {}
        ),
    }


def write_boards(
    root: RunRoot, board: Scoreboard, *, label: str = "baseline", baseline_path: str | None = None
) -> dict[str, Path]:
    """Write both boards, the diagnostics, the same as Markdown, who owns which gate, and what a candidate may change and must
    keep, below the run's reports. Returns their paths.

    Raises `PublishError` ``5B.REALISM.REPORT_NOT_WRITTEN``.
    """
    owners = owner_rows(root, board)
    return {
        "board": write_realism_report(root, BOARD, board_json(board)),
        "candidate": write_realism_report(root, CANDIDATE_BOARD, candidate_json(board, label, baseline_path)),
        "diagnostics": write_realism_report(root, "diagnostics.json", {**board.facts["run"], **board.diagnostics}),
        "markdown": write_realism_report(root, "gateboard.md", markdown(board, repairs(root, board))),
        "owners": write_realism_report(root, "owner_matrix.json", {**board.facts["run"], "rows": owners}),
        "owners_csv": write_realism_report(root, "owner_matrix.csv", owner_csv(owners)),
        "protocol": write_realism_report(root, "candidate_protocol.json", candidate_protocol(board)),
        "lock": write_realism_report(root, "contract_lock.json", contract_lock(board)),
        "clock_contract": write_realism_report(root, "t11_t12_contract_check.json", clock_contract(board)),
    }


def _summary(board: Scoreboard) -> dict[str, Any]:
    power = board.gate("T3").extras
    arrivals = board.facts["arrivals"]
    return {
        "civil_time_ok_latest": board.facts["civil_time_ok_latest"],
        "validation_report_status": board.facts["validation_report_status"],
        "arrival_sample_size": arrivals,
        "arrival_sample_target": arrivals,
        "arrival_sample_bad_parse_count": 0,
        "contract_parse_mismatch_count": board.facts["contract_parse_mismatch_count"],
        "dst_window_count": power["window_count"],
        "dst_window_material_count": power["material_window_count"],
        "dst_window_support_min": power["min_window_support"],
        "dst_window_support_material_min": power["min_material_window_support"],
        "dst_window_support_material_total": power["material_total_support"],
        "dst_window_material_floor": power["material_window_floor"],
        "dst_window_min_material_windows_threshold": power["min_material_windows_threshold"],
        "dst_window_min_total_support_threshold": power["min_total_support_threshold"],
        "dst_window_insufficient_power": power["insufficient_power"],
    }


def markdown(board: Scoreboard, repaired: Sequence[str] = ()) -> str:
    """The board as Markdown: run, gates, decisions, and who repairs what (`seg5b.realism.owners.repairs`)."""
    run, decision = board.facts["run"], board.decision
    lines = [
        f"# Gates of run {run['run_id']}, seed {run['seed']}",
        "",
        f"Grade **{decision['grade']}**, local lane `{decision['local_lane_decision']}`, candidate lane "
        f"`{decision['p2']['lane_decision']}`, candidate grade `{decision['p2']['phase_grade']}`. "
        f"{board.facts['arrivals']:,} arrivals, all of them looked at.",
        *(f"\n**{line}**" for line in no_grade(board)),
        "",
        "| gate | what | weight | measured | B | B+ | verdict |",
        "|---|---|---|---|---|---|---|",
        *(_row(gate) for gate in board.gates),
        "",
        *_cells(board.diagnostics.get("t13", {})),
        *(f"{line}\n" for line in clipped_means(board)),
    ]
    if repaired:
        lines += ["Who repairs what:", "", *(f"- {line}" for line in repaired), ""]
    return "\n".join(lines)


def no_grade(board: Scoreboard) -> list[str]:
    """Why a run has no grade, and what to do; nothing where S5 passed it."""
    sealed = board.decision["s5"]
    if sealed["status"] == "PASS":
        return []
    return [
        f"{sealed['reason']}. Its gates alone would say {board.decision['gates_grade']}; to have it graded, "
        f"{sealed['remedy']}."
    ]


def clipped_means(board: Scoreboard) -> list[str]:
    """The classes whose mean the clip of the latent factor lowers by a tenth of a per cent or more, a line each."""
    return [
        f"the clip of the latent factor takes {lost:.2%} of the mean of {name} in {scenario}"
        for scenario, classes in sorted(board.gate("T15").extras["mean_taken_by_clip"].items())
        for name, lost in sorted(classes.items())
        if lost >= WORTH_TELLING
    ]


def _row(gate: GateResult) -> str:
    law = gate.law
    return (
        f"| {gate.gate_id} | {law.title} | {law.weight.value}{', veto' if law.veto else ''} | {gate.shown} "
        f"| {law.b} | {law.bplus} | {gate.graded} |"
    )


def _cells(by_scenario: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| {scenario} | {cell['demand_class']} | {cell['clock']} | {cell['arrivals']:,} | {cell['distance']:.4f} "
        f"| {cell['expected_poisson']:.4f} | {cell['expected_law']:.4f} | {cell['allowed_b']:.4f} |"
        for scenario, facts in sorted(by_scenario.items())
        for cell in facts.get("cells", ())
    ]
    if not rows:
        return []
    head = "| scenario | class | clock | arrivals | distance | Poisson | count law | allowed (B) |"
    return [
        "T13, cell by cell (total variation of 24 hours):",
        "",
        head,
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]
