"""Figures of docs/realism.md, measured: ``make figures`` makes the worlds that they are of, in a folder that goes again, and
writes each block between its marks. A quarter of an hour on two cores; the blocks of `OF_THE_DEMO` need the demo alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.compute as pc

import seg5b
from docs.generate.markdown import code, table
from seg5b.api import Run, open_run
from seg5b.calibration import CandidateRunner, Certification, Sweep, analyse, certify, grid, run_sweep
from seg5b.calibration.policies import PolicyKey
from seg5b.contracts import ContractSource
from seg5b.options import Tuning
from seg5b.realism import Scoreboard, clipped_means, score_run
from seg5b.realism.files import reports_folder
from seg5b.runs.root import open_root

PAGE = Path(__file__).resolve().parent.parent / "realism.md"
SEEDS = (42, 7, 101, 202)
COIN = PolicyKey("arrival_routing_policy_5B", "hybrid_policy.p_virtual_hybrid")
ZONES = PolicyKey("arrival_routing_policy_5B", "physical_router.tz_group_law")


def gates_of_the_demo(board: Scoreboard) -> str:
    """The gates that measure a number, and what the clip takes."""
    shown = ("T6", "T7", "T9", "T13", "T15")
    rows = [(gate, board.gate(gate).law.title, board.gate(gate).shown, _word(board, gate)) for gate in shown]
    told = "".join(f"\n{line[0].upper()}{line[1:].replace('_', chr(92) + '_')}.\n" for line in clipped_means(board))
    return table(("gate", "what", "the demo", "verdict"), rows) + told


def _word(board: Scoreboard, gate: str) -> str:
    result = board.gate(gate)
    return result.graded


def coin_model(run: Run) -> str:
    """What the coin of hybrid merchants can make of T7."""
    coin = analyse(run.root, run.contracts)["hybrid_coin_policy"]
    low, high = coin["p_bounds"]
    needed = coin["p_needed_for_bplus_low_edge_0_05"]
    return (
        f"The model of T7 goes from {coin['t7_model_at_lo']:.2%} at p = {low:.2f} to {coin['t7_model_at_hi']:.2%} at "
        f"{high:.2f}; 5% need p = {needed:.4f}.\n"
    )


def coin_swept(swept: Sweep) -> str:
    """T6 and T7 under other coins."""
    rows = sorted(swept.rows, key=lambda row: float(str(row.values[COIN])))
    cells = [(f"{row.values[COIN]}", f"{row.t6:.2%}", f"{row.t7:.2%}", row.phase_grade) for row in rows]
    return table(("p_virtual_hybrid", "T6", "T7", "grade"), cells)


def zones_swept(base: Run, drawn: Run) -> str:
    """T13 under both laws of the zone, cell by cell, and what moved."""
    pinned, other = (_cells(run) for run in (base, drawn))
    rows = [
        (
            key[0].removesuffix("_v1"), code(key[1]), f"{cell['arrivals']:,}", _share(cell["expected_poisson"]),
            _share(cell["expected_law"]), _share(cell["allowed_b"]), *(_judged(cells[key]) for cells in (pinned, other)),
        )
        for key, cell in pinned.items()
    ]  # fmt: skip
    moved, physical = _moved(drawn)
    heads = (
        "scenario", "class (physical)", "arrivals", "Poisson", "count law", "allowed", "zone_pinned_v1", "group_weights_v1",
    )  # fmt: skip
    told = f"{moved:,} of {physical:,} physical arrivals leave their series' zone under `group_weights_v1`:\n\n"
    return told + table(heads, rows)


def _cells(run: Run) -> dict[tuple[str, str], Mapping[str, Any]]:
    found = json.loads((reports_folder(run.root) / "diagnostics.json").read_text("utf-8"))["t13"]
    return {
        (scenario, cell["demand_class"]): cell
        for scenario, facts in sorted(found.items())
        for cell in facts["cells"]
        if cell["clock"] == "physical"
    }


def _share(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")


def _judged(cell: Mapping[str, Any]) -> str:
    shown = _share(cell["distance"])
    return shown if cell["distance"] <= cell["allowed_b"] else f"**{shown}**"


def _moved(run: Run) -> tuple[int, int]:
    moved = physical = 0
    for scenario in run.scenarios:
        rows = run.table("arrival_events_5B", scenario)
        on_site = pc.invert(rows["is_virtual"])
        differs = pc.not_equal(rows["zone_representation"].cast("string"), rows["tzid_primary"].cast("string"))
        physical += pc.sum(on_site).as_py()
        moved += pc.sum(pc.and_(on_site, differs)).as_py()
    return moved, physical


def panel(found: Certification) -> str:
    """Gates of each seed, and how they lie about the law."""
    rows = [
        (str(row["seed"]), f"{row['metrics']['T6']:.4%}", f"{row['metrics']['T7']:.4%}", _failed(row))
        for row in found.rows
    ]
    seeds = [str(row["seed"]) for row in found.rows]
    laws = [
        (each.scenario_id.replace("_", "\\_"), each.name, *(f"{z:+.2f}" for z in each.z),
         *(f"{p:.2g}" for p in (each.bias_p, each.more_p, each.less_p)))
        for each in found.variations
    ]  # fmt: skip
    most = max(found.agreements, key=lambda each: abs(each.z))
    return (
        table(("seed", "T6", "T7", "below B+"), rows)
        + f"\nOverall variation (T10) {found.overall_cv:.4f}: `{found.decision}`. In standard deviations from the law:\n\n"
        + table(("scenario", "total", *seeds, "bias", "more", "less"), laws)
        + f"\nOf {len(found.agreements)} comparisons of two seeds the largest is {most.z:+.2f} standard deviations "
        + f"({most.name}).\n"
    )


def _failed(row: Mapping[str, Any]) -> str:
    names = [*row["hard_failures"], *row["major_bplus_failures"], *row["own_failures"]]
    return " ".join(names) or "none"


OF_THE_DEMO: Mapping[str, Callable[[Run], str]] = {
    "demo": lambda run: gates_of_the_demo(score_run(run.root, run.contracts))
}
OF_THE_CLASSIC_DEMO: Mapping[str, Callable[[Run], str]] = {"coin": coin_model}
"""The classic demo has merchants that sell through both sites and edges."""


def with_block(page: str, name: str, content: str) -> str:
    """The page with other content between the marks of a block. Raises `ValueError` where it has none of that name."""
    first, last = f"<!-- figures: {name} -->\n", "<!-- end of figures -->\n"
    found = re.subn(f"{re.escape(first)}.*?{re.escape(last)}", lambda _: first + content + last, page, flags=re.DOTALL)
    if found[1] != 1:
        raise ValueError(f"the page has {found[1]} blocks {name!r}")
    return found[0]


def measured(folder: Path) -> dict[str, str]:
    """Every block, from worlds that are made and realised in ``folder``."""
    runner = CandidateRunner(ContractSource.packaged(), tuning=Tuning(), report_step=print)
    run = _realised("demo", folder)
    blocks = {name: write(run) for name, write in OF_THE_DEMO.items()}
    run = _realised("demo_classic", folder)
    blocks |= {name: write(run) for name, write in OF_THE_CLASSIC_DEMO.items()}
    blocks["coins"] = coin_swept(run_sweep(run.root, runner, grid({COIN: [0.25, 0.45]})))
    zones = run_sweep(run.root, runner, grid({ZONES: ["group_weights_v1"]}))
    blocks["zones"] = zones_swept(run, open_run(folder / "demo_classic", zones.rows[1].run_id))
    seg5b.World.from_preset("demo").make(folder / "four", seeds=SEEDS)
    blocks["panel"] = panel(certify(open_root(folder / "four", None, run.root.external_roots), runner, SEEDS))
    return blocks


def _realised(preset: str, folder: Path) -> Run:
    seg5b.World.from_preset(preset).make(folder / preset)
    seg5b.run(folder / preset)
    return open_run(folder / preset)


def main() -> None:
    """Measure everything and write it."""
    with TemporaryDirectory() as folder:
        blocks = measured(Path(folder))
    page = PAGE.read_text("utf-8")
    for name, content in blocks.items():
        page = with_block(page, name, content)
    PAGE.write_text(page, "utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
