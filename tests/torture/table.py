"""The verdicts as a table for the console, and as docs/reliability.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from seg5b import __version__
from tests.torture.details import details
from tests.torture.markdown import section as _section
from tests.torture.markdown import table as _table
from tests.torture.planted import PLANTED
from tests.torture.verdict import Case, Verdict

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
MUST_SHOW = {
    "killed at a call": "nothing half-published; the next run ends with the right digests",
    "demo killed at random": "killed every few seconds until it is done, it has the bytes of the demo",
    "power cut": "what was not synced is lost or torn; the next run ends with the right digests",
    "power cut, run ledger spared": "the same, with the ledger of states as it was",
    "a call fails once": "passes, or one typed error; nothing half-published; the next run is right",
    "calls fail from then on": "one typed error; nothing half-published; the next run is right",
    "short writes": "a write that takes half is gone on with: it passes",
    "full disk, by bytes": "the disk fills after so many bytes: as for calls that fail",
    "limits": "address space, file size, open files, threads: as for calls that fail",
    "full disk": "a small file system in memory: as for calls that fail; the next run has a larger one",
    "two runs at once": "one passes, the other passes after it or is told `5B.RUN.BUSY`",
    "readers during a run": "whole datasets or none are seen; the run passes",
    "two runs in one process": "each log tells of its own run",
    "mutated inputs": "each is read, or refused with one typed error in 2 s; 4 GiB of memory are enough",
    "named inputs and odd worlds": "each input is refused with the error that is named; a world without a kind of merchant is made",
    "decoders fuzzed": "every input is decoded, or refused with an error that the decoder declares",
    "tampered with, digests mended": "made again, it is noticed, and the file named; by S5 where a law is broken",
    "odd names": "every command works below a folder of that name",
    "one digest": "the digests of the untouched run",
    "releases of packages": "the values of the untouched run",
}
"""Kinds in their order, and what each case must show."""


@dataclass(frozen=True, slots=True)
class Plant:
    """What a planted defect came to: the verdict of its case with it, and without."""

    name: str
    having: Verdict
    without: Verdict

    @property
    def noticed(self) -> bool:
        """Whether the case is wrong with the defect, and right without."""
        return bool(self.having.wrong) and not self.without.wrong


def _kinds(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, list[Verdict], str]]:
    for kind, must in MUST_SHOW.items():
        of_kind = [verdict for verdict in verdicts if verdict.case.kind == kind]
        if of_kind:
            yield kind, of_kind, must


def _longest(verdicts: Sequence[Verdict]) -> Verdict:
    return max(verdicts, key=lambda verdict: verdict.wait_s)


def _right(verdicts: Sequence[Verdict]) -> tuple[int, int]:
    """How many are right, and how many could not be tried here."""
    skipped = sum("skipped" in verdict.facts for verdict in verdicts)
    return sum(not verdict.wrong for verdict in verdicts) - skipped, skipped


def console_table(verdicts: Sequence[Verdict], plants: Sequence[Plant], minutes: float) -> str:
    """One line per kind with its longest wait, then what the planted defects came to, then the longest wait of all."""
    lines = []
    for kind, of_kind, _ in _kinds(verdicts):
        (right, skipped), longest = _right(of_kind), _longest(of_kind)
        more = f", {skipped} skipped" if skipped else ""
        lines.append(
            f"{kind:30} {right:4} of {len(of_kind):4} right{more}; longest {longest.wait_s:6.1f} s ({longest.case.name})"
        )
    for plant in plants:
        with_it = "noticed" if plant.having.wrong else "MISSED"
        lines.append(f"planted: {plant.name:21} {with_it}; right without: {'no' if plant.without.wrong else 'yes'}")
    if verdicts:
        longest = _longest(verdicts)
        lines.append(f"longest wait: {longest.wait_s:.1f} s, {longest.case.kind}: {longest.case.name}")
    return "\n".join([*lines, f"{len(verdicts)} cases in {minutes:.0f} minutes"])


_RAISED = re.compile(r"status \d+: ([A-Za-z_.]*(?:Error|Exception)): .*?(\w+/?\w+\.py):\d+\)$")


def causes(verdicts: Sequence[Verdict]) -> dict[str, list[Case]]:
    """Wrong cases by cause; numbers and paths do not make another cause."""
    grouped: dict[str, list[Case]] = {}
    for verdict in verdicts:
        if verdict.wrong:
            grouped.setdefault(_plain(verdict.wrong), []).append(verdict.case)
    return grouped


def _plain(wrong: str) -> str:
    text = " ".join(wrong.split())
    if raised := _RAISED.match(text):
        return f"`{raised[1].rpartition('.')[2]}` with a traceback, from `{raised[2]}`"
    if "Arguments: (" in text:
        return "a traceback of `logging`, whose file could not be written"
    text = re.sub(r"[^\s:'\"]*/[^\s:'\",}]*/([^\s/:'\",}]*)", r"\1", text)
    text = re.sub(r"\b[0-9a-f]{32,64}\b", "...", re.sub(r"hung for \d+ s", "hung", text))
    text = re.sub(r"(line|column|char) \d+", r"\1 n", text)
    return text.replace("|", r"\|").replace("`", "'")[:180]


def page(verdicts: Sequence[Verdict], plants: Sequence[Plant], minutes: float, every: int) -> str:
    """Text of docs/reliability.md; ``every``: one case in so many was judged."""
    sample = f" One case in {every} was judged." if every > 1 else ""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "pyarrow", "duckdb"))
    longest = _longest(verdicts)
    return "\n".join(
        [
            "# Broken on purpose",
            "",
            "A tiny world (16 merchants, 49,000 arrivals, five parts) is realised from S0 to S5 while something is done to it.",
            "System calls are failed, cut short or made deadly by a library that is loaded before the C library, so that writes",
            "of Arrow and DuckDB are struck as ours are. The next run, that nothing happens to, must end with the digests of a run",
            f"that nothing ever happened to (law L12, law L16).{sample}",
            "",
            *_table(("kind", "cases", "right", "longest wait", "what each case must show"), _kind_rows(verdicts)),
            f"A wait is one command, or one reading of an input. The longest of all: {longest.wait_s:.1f} s,"
            f" {longest.case.kind}: {longest.case.name}; others were worked through beside it.",
            "",
            *_section("What was wrong", ("what", "cases", "for example"), _wrong_rows(verdicts)),
            *_section("What could not be tried here", ("case", "why"), _skipped_rows(verdicts)),
            *details(verdicts),
            "## Who judges is judged",
            "",
            "Defects planted in processes of the tests, and the case that must notice each, and be right without it.",
            "",
            *_table(("defect", "case", "with it", "right without"), _plant_rows(plants)),
            "## Made with",
            "",
            f"{datetime.now(UTC):%Y-%m-%d}; seg5b {__version__}, Python {platform.python_version()}, {packages}; Linux"
            f" {platform.release().partition('-')[0]}, {len(os.sched_getaffinity(0))} cores; {minutes:.0f} minutes. This page is written"
            " again by:",
            "",
            "<!-- not run: half an hour -->",
            "```sh",
            "make torture",
            "```",
            "",
        ]
    )


def _kind_rows(verdicts: Sequence[Verdict]) -> Iterator[tuple[object, ...]]:
    for kind, of_kind, must in _kinds(verdicts):
        (right, skipped), longest = _right(of_kind), _longest(of_kind)
        yield kind, len(of_kind) - skipped, right, f"{longest.wait_s:.1f} s, {longest.case.name}", must


def _wrong_rows(verdicts: Sequence[Verdict]) -> Iterator[tuple[object, ...]]:
    for cause, of in causes(verdicts).items():
        yield cause, len(of), f"{of[0].kind}: {of[0].name}"


def _skipped_rows(verdicts: Sequence[Verdict]) -> Iterator[tuple[object, ...]]:
    for verdict in verdicts:
        if "skipped" in verdict.facts:
            yield f"{verdict.case.kind}: {verdict.case.name}", _plain(verdict.facts["skipped"])


def _plant_rows(plants: Sequence[Plant]) -> Iterator[tuple[object, ...]]:
    for plant in plants:
        planted = PLANTED[plant.name]
        noticed = "noticed" if plant.having.wrong else "missed"
        what = (planted.plant.__doc__ or plant.name).rstrip(".")
        yield what, f"{planted.kind}: {planted.name}", noticed, "no" if plant.without.wrong else "yes"
