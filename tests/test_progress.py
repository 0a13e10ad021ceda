"""Progress: bars on one line whatever the width, lines at a cadence where there is no terminal, and functions of one's own."""

from __future__ import annotations

import io
import logging
import re
import time

import pytest
from rich.console import Console

from seg5b.progress import LOGGER, Bars, Both, Called, Lines, Reporter, StepProgress, rate, reporter_of


def drawn(width: int) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, legacy_windows=False, color_system=None)
    with Bars(console).track("S4 arrivals of stress_peak_online_v1", 1_352_309, "rows") as advance:
        advance(500_000)
        time.sleep(0.25)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    return [line for line in re.split(r"[\r\n]", text) if line.strip()]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_bar_is_one_line(width: int) -> None:
    lines = drawn(width)
    assert lines and max(map(len, lines)) <= width
    told = next(line for line in lines if "37%" in line)
    assert re.search(r"\d:\d\d left", told) and told.startswith("S4 arrival")
    assert ("rows/s" in told) == (width >= 80)


def test_nothing_is_drawn_off_a_terminal() -> None:
    stream = io.StringIO()
    with Bars(Console(file=stream, width=80)).track("work", 10, "rows") as advance:
        advance(10)
    assert stream.getvalue() == ""


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


def test_lines_come_at_the_cadence_and_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER), Lines(0.1).track("S4", 1000, "rows") as advance:
        advance(250)
        time.sleep(0.35)
        advance(750)
    lines = told(caplog)
    assert 2 <= len(lines) <= 5
    assert re.fullmatch(r"S4: 25%, 250 of 1,000 rows, [\d.]+ k?rows/s, 0:0\d, 0:0\d left", lines[0])
    assert lines[-1].startswith("S4: 100%, 1,000 of 1,000 rows, ") and "left" not in lines[-1]


def test_short_work_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER), Lines(5).track("S4", 1000, "rows") as advance:
        advance(1000)
    assert told(caplog) == []


def test_work_that_fails_ends_the_lines(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER), pytest.raises(KeyError), Lines(0.05).track("S4", 1000, "rows"):
        raise KeyError
    before = len(told(caplog))
    time.sleep(0.15)
    assert len(told(caplog)) == before


def test_a_function_is_called_with_what_is_done() -> None:
    calls: list[tuple[str, int, int]] = []
    with Called(lambda *call: calls.append(call)).track("S4", 10, "rows") as advance:
        advance(4)
        advance(6)
    assert calls == [("S4", 0, 10), ("S4", 4, 10), ("S4", 10, 10)]


class Kept:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}

    def track(self, label: str, total: int, unit: str):
        return Called(lambda name, done, _: self.done.update({name: done})).track(label, total, unit)


def test_both_are_told_and_steps_are_summed() -> None:
    one, other = Kept(), Kept()
    both: Reporter = Both(one, other)
    with StepProgress(both, "steps") as steps:
        steps("first", 1, 2)
        steps("first", 2, 2)
        steps("second", 1, 1)
    assert one.done == other.done == {"first": 2, "second": 1}


def test_what_a_caller_may_ask_for() -> None:
    kept = Kept()
    for progress in (True, False, kept, lambda *_: None):
        with reporter_of(progress).track("work", 1, "rows") as advance:
            advance(1)
    assert kept.done == {"work": 1}


@pytest.mark.parametrize(
    ("done", "seconds", "text"), [(0, 0, "0.0 "), (1500, 1, "1.5 k"), (3e6, 2, "1.5 M"), (2e9, 1, "2.0 G")]
)
def test_rates(done: float, seconds: float, text: str) -> None:
    assert rate(done, seconds) == text
