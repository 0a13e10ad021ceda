"""18: seconds of each state."""

from __future__ import annotations

from seg5b.page.facts.verdict import StateSeconds
from seg5b.page.figure import Figure
from seg5b.page.frame import Box, drawing
from seg5b.page.marks import rows_of_bars


def state_times(times: tuple[StateSeconds, ...], arrivals: int) -> Figure:
    """Bars of wall-clock seconds from the run records."""
    box = Box(400, 8 + 27 * max(len(times), 1), 104, 96, 0, 0)
    entries = []
    for time in times:
        note = f"{time.seconds:,.1f} s" + ("" if time.status == "PASS" else f" {time.status}")
        entries.append((time.state, time.seconds, note, "a" if time.status == "PASS" else "b"))
    marks = rows_of_bars(box, entries, max((time.seconds for time in times), default=1.0), first=2, step=27)
    whole = sum(time.seconds for time in times)
    rate = f", {arrivals / whole:,.0f} arrivals a second" if whole > 0 and arrivals else ""
    return Figure(
        "18",
        f"{whole:,.1f} s in all{rate}" if times else "No run records",
        (drawing(box, marks, "seconds per state"),),
        "Wall-clock seconds of each state's last attempt that wrote something.",
        "time grows in proportion to arrivals; S4 and S5 take most of it.",
        {"seconds": {time.state: time.seconds for time in times}},
    )
