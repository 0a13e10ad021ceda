"""What the run cost: seconds of each state."""

from __future__ import annotations

from seg5b.page import charts
from seg5b.page.facts.verdict import StateSeconds
from seg5b.page.figure import Figure


def state_times(times: tuple[StateSeconds, ...], arrivals: int) -> Figure:
    """Wall-clock seconds from the run records; ``arrivals`` of all scenarios."""
    whole = sum(time.seconds for time in times)
    rate = f", {arrivals / whole:,.0f} arrivals a second" if whole > 0 and arrivals else ""
    longest = max(times, key=lambda time: time.seconds, default=None)
    encoding = {
        "y": charts.name("state", axis={"title": None, "domain": False}),
        "x": charts.number("seconds", "seconds"),
        "color": charts.colours("outcome", [("PASS", charts.A), ("FAIL", charts.B)]),
        "tooltip": charts.tips(state="", outcome="", seconds=",.1f"),
    }
    return Figure(
        "seconds",
        f"{whole:,.1f} s in all{rate}" if times else "No run records",
        f"Bars of seconds for each state; {longest.state} took longest, {longest.seconds:,.1f} s."
        if longest
        else "No bars.",
        "Wall-clock seconds of each state's last attempt that wrote something, all scenarios together.",
        "time grows in proportion to arrivals; S4 and S5 take most of it.",
        ("state", "outcome", "seconds"),
        [(time.state, time.status, round(time.seconds, 3)) for time in times],
        charts.marks("bar", encoding, height=24 * max(len(times), 1)),
        panel_px=400,
    )
