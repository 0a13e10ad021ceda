"""One page about one run: measure, draw, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.errors import PublishError, RunError
from seg5b.export.targets import LocalFile
from seg5b.options import DEFAULT_MEMORY_GB
from seg5b.page import html, judged
from seg5b.page.facts.asked import Asked, read_asked
from seg5b.page.facts.scene import DAY_US, open_scene
from seg5b.page.facts.verdict import read_gateboard, read_state_times, read_validation, sentinel_board
from seg5b.page.figures.bursts import bursts
from seg5b.page.figures.concentration import concentration
from seg5b.page.figures.cost import state_times
from seg5b.page.figures.drawn import latent, scatter
from seg5b.page.figures.lawful import lawful
from seg5b.page.figures.made import by_day, channels
from seg5b.page.figures.places import places
from seg5b.page.figures.public import public
from seg5b.page.figures.rhythm import rhythm
from seg5b.page.markup import element
from seg5b.page.measured import Measured, Views, measure
from seg5b.page.wording import count, counted, iso_day, percent
from seg5b.parallel import all_threads
from seg5b.progress import Reporter, Silent
from seg5b.query import open_database
from seg5b.run_tables.outputs import dataset_path, require_whole
from seg5b.runs.root import RunRoot
from seg5b.runs.scratch import reader_scratch

DEFAULT_PLACE = Path("report.html")
"""In the folder that the process works in."""


@dataclass(frozen=True, slots=True)
class WrittenPage:
    """Where the page is, its size, the arrivals it covers, and S5's verdict (empty when S5 has not run)."""

    path: Path
    size_bytes: int
    arrivals: int
    verdict: str


def write_page(
    root: RunRoot,
    contracts: ContractSource,
    out: Path = DEFAULT_PLACE,
    *,
    overwrite: bool = False,
    threads: int | None = None,
    memory_limit_gb: float = DEFAULT_MEMORY_GB,
    reporter: Reporter | None = None,
) -> WrittenPage:
    """Measure a run with S1-S4 done and write its page to ``out``, which is not in a run (law L18) and appears whole.

    ``overwrite``: an older file there is replaced. ``memory_limit_gb``: 10^9 bytes for the queries.

    Raises `RunError` ``5B.PAGE.DATASET_MISSING``; `InputError` ``5B.QUERY.FAILED``, and as `require_whole`;
    `PublishError` as `seg5b.export.targets.check_place`, ``5B.PAGE.IO_WRITE_FAILED``.
    """
    target = LocalFile(out, overwrite=overwrite)
    names = scenario_ids(root, contracts)
    require_whole(root, contracts, names)
    asked = read_asked(root)
    with reader_scratch(root, "page") as scratch:
        views = _measured(root, contracts, names, scratch, threads, memory_limit_gb, reporter or Silent(), asked)
    content, report = _compose(root, contracts, views, asked)
    with _writing(out), target, target.open(out.name) as stream:
        stream.write(content)
    return WrittenPage(out, len(content), sum(view.arrivals for view in views), report)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise PublishError(
            "5B.PAGE.IO_WRITE_FAILED", f"the page could not be written: {cause}", where=str(target),
            remedy="check space and rights, or name another file with --out",
        ) from cause  # fmt: skip


def scenario_ids(root: RunRoot, contracts: ContractSource) -> tuple[str, ...]:
    """Scenarios whose arrivals are published, in ascending order. Raises `RunError` ``5B.PAGE.DATASET_MISSING``."""
    probe = dataset_path(root, contracts, "arrival_events_5B", "*")
    parts = probe.relative_to(root.path).as_posix().split("/")
    level = next(place for place, part in enumerate(parts) if "*" in part)
    folders = sorted(root.path.joinpath(*parts[:level]).glob(parts[level]))
    if not folders:
        raise RunError(
            "5B.PAGE.DATASET_MISSING",
            "arrival_events_5B is not published",
            where=str(root.path),
            remedy="realise the run first: seg5b run --to S4",
        )
    prefix = parts[level].split("*")[0]
    return tuple(folder.name.removeprefix(prefix) for folder in folders)


def _measured(
    root: RunRoot,
    contracts: ContractSource,
    names: Sequence[str],
    scratch: Path,
    threads: int | None,
    memory_limit_gb: float,
    reporter: Reporter,
    asked: Asked | None,
) -> list[Measured]:
    views = []
    with reporter.track("report", len(names), "scenarios") as advance:
        for name in names:
            with open_database(memory_limit_gb, threads, scratch / "spill") as database:
                scene = open_scene(root, contracts, name, database, threads or all_threads(), scratch)
                views.append(measure(scene, asked.events.get(name, ()) if asked else ()))
            advance(1)
    return views


def _compose(root: RunRoot, contracts: ContractSource, views: Views, asked: Asked | None) -> tuple[bytes, str]:
    """The page in the order of its story, and S5's verdict."""
    report = read_validation(root, contracts)
    board = read_gateboard(root) or (sentinel_board(report) if report else None)
    arrivals = sum(view.arrivals for view in views)
    made = [_numbers(views), *([html.asked(asked)] if asked else [])]
    sections = (
        html.Section("verdict", "Verdict", (judged.verdict(report), judged.gateboard(board))),
        html.Section("made", "What was made", made, (by_day(views), channels(views), *places(views))),
        html.Section("looks", "Does it look right", (),
                     (*rhythm(views), *bursts(views), *concentration(views), latent(views))),
        html.Section("public", "Beside public figures", (), public(views)),
        html.Section("lawful", "Is it lawful", (judged.agreement(views),), (*lawful(views), scatter(views))),
        html.Section("cost", "What it cost", (), (state_times(read_state_times(root), arrivals),)),
    )  # fmt: skip
    page = html.page(root.identity, report, arrivals, sections)
    return page.encode(), str(report.get("status", "")) if report else ""


def _numbers(views: Views) -> str:
    """The run in numbers, scenario by scenario."""

    def row(name: str, value: Callable[[Measured], str]) -> list[str]:
        return [name, *(value(view) for view in views)]

    rows = [
        row("arrivals", lambda view: count(view.arrivals)),
        row("of these virtual", lambda view: percent(view.virtual / view.arrivals, 2) if view.arrivals else "–"),
        row("merchants", lambda view: count(view.merchants)),
        row("series (merchant, zone, channel)", lambda view: count(view.series)),
        row("time zones with arrivals", lambda view: count(len(view.places.zones))),
        row("buckets", lambda view: f"{count(view.buckets)} of {view.bucket_us / 60_000_000:g} min"),
        row("first day (UTC)", lambda view: iso_day(view.first_day)),
        row("last day (UTC)", lambda view: iso_day((view.end_us - 1) // DAY_US)),
    ]
    said = f"{count(sum(view.arrivals for view in views))} arrivals in {counted(len(views), 'scenario')}"
    return html.sheet(element("h3", said), html.table(["quantity", *(view.scenario_id for view in views)], rows))
