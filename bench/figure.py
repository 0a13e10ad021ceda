"""Figures about speed, drawn from what was measured: that of the documentation from a sitting, and backends beside each other
from what `pipeline.py` and `kernels.py` measured on one machine.

    python bench/figure.py bench/results/sitting_reference.json docs/img/speed.svg
    python bench/figure.py --backends bench/results/pipeline_reference_cuda.json bench/results/kernels_cuda_cpu.json \\
        bench/results/kernels_cuda.json bench/results/backends.svg

What was not measured is left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seg5b.page.markup import element, text
from seg5b.page.wording import counted

WIDTH, LEFT, RIGHT = 720.0, 226.0, 80.0
STEP, TITLE, GAP = 24.0, 34.0, 18.0
LOOKS = {"a": ("#0a6cb0", "#5cb8f0"), "c": ("#00775a", "#3fd3a6"), "grey": ("#c3cad1", "#4b5661")}
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #17202a; } .head { font-size: 14px; font-weight: 650; }
.soft { fill: #56616d; } .value { font-weight: 600; } .paper { fill: #ffffff; }
.roofline { stroke: #a6341b; stroke-dasharray: 4 3; }
"""
DARK = "text { fill: #e7ebef; } .soft { fill: #a6b1bc; } .paper { fill: #171d23; }"
BASELINES = {
    "polars_all": ("NumPy + polars, 24 columns", "grey"),
    "pandas_all": ("NumPy + pandas, 24 columns", "grey"),
    "polars_7": ("NumPy + polars, 7 columns", "grey"),
    "pandas_7": ("NumPy + pandas, 7 columns", "grey"),
}
Entry = tuple[str, float, str, str]


def speed_figure(sitting: Mapping[str, Any]) -> str:
    """The whole drawing: rows a second beside others, seconds of each state, and where they were measured."""
    found = {name: piece["figures"] for name, piece in sitting["pieces"].items()}
    source = f"World {sitting['world']}; {_machine(sitting['machine'])}"
    return _drawing(
        [Panel(*panel) for panel in (_rates(found), _states(found)) if panel is not None],
        f"{source}{'' if sitting['quiet'] else '; other programs ran meanwhile'}",
    )


def backends_figure(pipeline: Mapping[str, Any], kernels: Sequence[Mapping[str, Any]]) -> str:
    """Seconds of the states of a whole run by each backend, and how near its kernels come to what memory alone allows: the
    roofline, a line at 100 %. ``kernels``: reports of `kernels.py`, later ones replace earlier ones of the same backend."""
    runs = {name: run["whole"] for name, run in pipeline["runs"].items()}
    states = [
        (f"{state} on {name}", run["state_seconds"][state], f"{run['state_seconds'][state]:.1f} s", _look(name))
        for state in next(iter(runs.values()))["state_seconds"]
        for name, run in runs.items()
    ]
    states += [
        (f"whole process on {name}", run["seconds"], f"{run['seconds']:.1f} s", _look(name))
        for name, run in runs.items()
    ]
    panels = [Panel(f"Seconds of each state, world {pipeline['preset']}, files {pipeline['files']}", states)]
    measured = {each["backend"]["backend"]: each for report in kernels for each in report["measured"]}
    by_kernel = {
        name: {each["kernel"]: each["floor_ns_per_result"] / each["ns_per_result"] for each in found["kernels"]}
        for name, found in measured.items()
    }
    near = [
        (f"{kernel} on {name}", shares[kernel], f"{shares[kernel]:.0%}", _look(name))
        for kernel in next(iter(by_kernel.values()), {})
        for name, shares in by_kernel.items()
        if kernel in shares
    ]
    near += [
        (f"all of S4 on {name}", share, f"{found['s4']['all_arrivals_per_s'] / 1e6:,.0f} M/s", _look(name))
        for name, found in measured.items()
        for share in [found["s4"]["all_floor_ns"] / found["s4"]["all_ns"]]
    ]
    if near:
        panels.append(Panel("Share of what memory alone allows; CPU: one core, its own memory's share", near, line=1.0))
    devices = {str(found["backend"]["device"]): None for found in measured.values()}
    return _drawing(panels, "; ".join([*devices, _machine(pipeline["machine"])]))


def _look(name: str) -> str:
    return "grey" if name == "cpu" else "c" if name.endswith("cudf") else "a"


class Panel(NamedTuple):
    """A title over level bars; ``line``: the length at which a line stands across them."""

    title: str
    entries: Sequence[Entry]
    line: float | None = None


def _drawing(panels: Sequence[Panel], source: str) -> str:
    marks, top = [], 14.0
    for title, entries, line in panels:
        marks += [_label(16.0, top + 14, title, class_="head")]
        marks += _bars(entries, top + TITLE - 8, line)
        top += TITLE + STEP * len(entries) + GAP
    marks.append(_label(16.0, top + 4, source, class_="soft"))
    height = top + 20
    paper = element("rect", width=_number(WIDTH), height=_number(height), rx="10", class_="paper")
    return element(
        "svg", element("style", _style()), paper, *marks,
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH:g} {height:g}", role="img",
        aria_label="; ".join(f"{each.title}: " + ", ".join(f"{e[0]} {e[2]}" for e in each.entries) for each in panels),
    )  # fmt: skip


def _bars(entries: Sequence[Entry], first: float, line: float | None) -> list[str]:
    """Level bars from the top: (label, length, text behind it, look) each."""
    longest = max(line or 0.0, *(length for _, length, _, _ in entries))
    parts = []
    if line is not None:
        at = _number(LEFT + (WIDTH - LEFT - RIGHT) * line / longest)
        bottom = _number(first + STEP * len(entries))
        parts.append(element("line", x1=at, x2=at, y1=_number(first), y2=bottom, class_="roofline"))
    for place, (name, length, note, look) in enumerate(entries):
        top = first + place * STEP
        size = (WIDTH - LEFT - RIGHT) * length / longest if longest > 0 else 0.0
        parts.append(_label(LEFT - 8, top + STEP * 0.6, name, class_="name", text_anchor="end"))
        shape = {"x": LEFT, "y": top + 2, "width": max(size, 0.8), "height": STEP - 8}
        parts.append(element("rect", **{key: _number(value) for key, value in shape.items()}, class_=f"bar {look}"))
        parts.append(_label(LEFT + size + 6, top + STEP * 0.6, note, class_="value"))
    return parts


def _label(x: float, y: float, content: str, **attributes: str) -> str:
    return element("text", text(content), x=_number(x), y=_number(y), **attributes)


def _number(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def _rates(found: Mapping[str, Any]) -> tuple[str, list[Entry]] | None:
    """Rows a second of S4, of the scripts and of the generator."""
    if "local" not in found.get("whole", {}):
        return None
    rows = [("seg5b S4, 24 columns, evidence", found["whole"]["local"]["s4_arrivals_per_s"], "a")]
    measured = found.get("baselines", {})
    for name, (title, look) in BASELINES.items():
        if "arrivals_per_s" in measured.get(name, {}):
            rows.append((title, measured[name]["arrivals_per_s"], look))
    if "rows_per_s" in found.get("generator", {}):
        rows.append(("tpchgen-cli lineitem, 16 columns", found["generator"]["rows_per_s"], "c"))
    return "Million rows a second, all cores", [(name, rate, f"{rate / 1e6:.2f}", look) for name, rate, look in rows]


def _states(found: Mapping[str, Any]) -> tuple[str, list[Entry]] | None:
    """Seconds of each state of the whole run, and of a second run."""
    if "local" not in found.get("whole", {}):
        return None
    run = found["whole"]["local"]
    entries = [(state, seconds, f"{seconds:.1f} s", "a") for state, seconds in run["state_seconds"].items()]
    if "seconds" in found.get("rerun", {}):
        again = found["rerun"]["seconds"]
        entries.append(("second run, nothing changed", again, f"{again:.1f} s", "c"))
    title = f"Seconds of each state, {counted(run['arrivals'], 'arrival')}"
    return f"{title}: {run['seconds']:.0f} s in one process" if "seconds" in run else title, entries


def _machine(here: Mapping[str, Any]) -> str:
    return f"{here['processor']}, {here['cpus']} cores, {here['memory_gb']:.0f} GB; {here['utc'][:10]}"


def _style() -> str:
    light = "".join(f".bar.{look} {{ fill: {colours[0]}; }}" for look, colours in LOOKS.items())
    dark = "".join(f".bar.{look} {{ fill: {colours[1]}; }}" for look, colours in LOOKS.items())
    return f"{STYLE}{light}\n@media (prefers-color-scheme: dark) {{ {DARK} {dark} }}\n"


if __name__ == "__main__":
    *sources, target = map(Path, sys.argv[2 if sys.argv[1] == "--backends" else 1 :])
    measured, *kernels = (json.loads(source.read_text("utf-8")) for source in sources)
    drawn = backends_figure(measured, kernels) if sys.argv[1] == "--backends" else speed_figure(measured)
    target.write_text(drawn + "\n", encoding="utf-8")
