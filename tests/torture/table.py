"""The verdicts as a table for the console, and as docs/reliability.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from seg5b import __version__
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
    "tampered with, digests mended": "made again, it is noticed, and the file named; by S5 where a law is broken",
    "odd names": "every command works below a folder of that name",
    "one digest": "the digests of the untouched run",
}
"""Kinds in their order, and what each case must show."""


def _kinds(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, int, int, str]]:
    for kind, must in MUST_SHOW.items():
        of_kind = [verdict for verdict in verdicts if verdict.case.kind == kind]
        if of_kind:
            yield kind, len(of_kind), sum(not verdict.wrong for verdict in of_kind), must


def console_table(verdicts: Sequence[Verdict], found: Mapping[str, Verdict], minutes: float) -> str:
    """One line per kind, then what the planted defects came to."""
    lines = [f"{kind:32} {right:4} of {cases:4} right" for kind, cases, right, _ in _kinds(verdicts)]
    lines += [f"planted: {plant:23} {'noticed' if verdict.wrong else 'MISSED'}" for plant, verdict in found.items()]
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


def page(verdicts: Sequence[Verdict], found: Mapping[str, Verdict], minutes: float, every: int) -> str:
    """Text of docs/reliability.md; ``every``: one case in so many was judged."""
    sample = f" One case in {every} was judged." if every > 1 else ""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "pyarrow", "duckdb"))
    kinds = [f"| {kind} | {cases} | {right} | {must} |" for kind, cases, right, must in _kinds(verdicts)]
    wrong = [f"| {cause} | {len(of)} | {of[0].kind}: {of[0].name} |" for cause, of in causes(verdicts).items()]
    planted = [
        f"| {(PLANTED[plant].plant.__doc__ or plant).rstrip('.')} | {PLANTED[plant].kind}: {PLANTED[plant].name} "
        f"| {'noticed' if verdict.wrong else 'missed'} |"
        for plant, verdict in found.items()
    ]
    return "\n".join(
        [
            "# Broken on purpose",
            "",
            "A tiny world (16 merchants, 49,000 arrivals, five parts) is realised from S0 to S5 while something is done to it.",
            "System calls are failed, cut short or made deadly by a library that is loaded before the C library, so that writes",
            "of Arrow and DuckDB are struck as ours are. The next run, that nothing happens to, must end with the digests of a run",
            f"that nothing ever happened to (law L12, law L16).{sample}",
            "",
            "| kind | cases | right | what each case must show |",
            "|---|---|---|---|",
            *kinds,
            "",
            *(
                ["## What was wrong", "", "| what | cases | for example |", "|---|---|---|", *wrong, ""]
                if wrong
                else []
            ),
            "## Who judges is judged",
            "",
            "Defects planted in processes of the tests, and the case that must notice each.",
            "",
            "| defect | case | |",
            "|---|---|---|",
            *planted,
            "",
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
