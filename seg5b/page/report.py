"""One page about one run: measure, draw, write."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.errors import PublishError, RunError
from seg5b.options import DEFAULT_MEMORY_GB
from seg5b.page import html
from seg5b.page.facts.asked import Asked, Event, read_asked
from seg5b.page.facts.clocks import measure_clocks
from seg5b.page.facts.draws import measure_draws
from seg5b.page.facts.hours import measure_hours
from seg5b.page.facts.keys import measure_keys
from seg5b.page.facts.places import measure_places
from seg5b.page.facts.scene import Scene, open_scene
from seg5b.page.facts.verdict import read_gateboard, read_state_times, read_validation, sentinel_board
from seg5b.page.figures.clocks import clocks
from seg5b.page.figures.concentration import concentration
from seg5b.page.figures.conservation import conservation
from seg5b.page.figures.draws import draws
from seg5b.page.figures.hours import hours, profiles
from seg5b.page.figures.states import state_times
from seg5b.page.figures.zones import zones
from seg5b.page.scales import count
from seg5b.parallel import all_threads
from seg5b.progress import Reporter, Silent
from seg5b.query import open_database
from seg5b.run_tables.outputs import dataset_path, require_whole
from seg5b.runs.root import RunRoot
from seg5b.runs.scratch import reader_scratch

DEFAULT_PLACE = "reports/layer2/page/segment=5B/report.html"


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
    out: Path | None = None,
    *,
    threads: int | None = None,
    memory_limit_gb: float = DEFAULT_MEMORY_GB,
    reporter: Reporter | None = None,
) -> WrittenPage:
    """Measure a run with S1-S4 done and write its page to ``out``, else into the run's reports.

    Replaces an older page in one step. ``memory_limit_gb``: 10^9 bytes for the queries.

    Raises `RunError` ``5B.PAGE.DATASET_MISSING``; `InputError` ``5B.QUERY.FAILED``, and as `require_whole`;
    `PublishError` ``5B.PAGE.IO_WRITE_FAILED``.
    """
    target = out or root.resolve(DEFAULT_PLACE)
    names = scenario_ids(root, contracts)
    require_whole(root, contracts, names)
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    asked = read_asked(root)
    with reader_scratch(root, "page") as scratch:
        views = _views(root, contracts, names, scratch, threads, memory_limit_gb, reporter or Silent(), asked)
    content, report = _compose(root, contracts, views, asked)
    with _writing(target):
        _replace(target, content)
    return WrittenPage(target, len(content), sum(view.arrivals for view in views), report)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise PublishError(
            "5B.PAGE.IO_WRITE_FAILED", f"the page could not be written: {cause}", where=str(target),
            remedy="check space and rights, or name another file with --out",
        ) from cause  # fmt: skip


@dataclass(frozen=True, slots=True)
class _View:
    """One scenario, measured and drawn."""

    scenario_id: str
    arrivals: int
    virtual: int
    series: int
    merchants: int
    zones: int
    start_us: int
    end_us: int
    buckets: int
    sections: tuple[html.Section, ...]


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


def _views(
    root: RunRoot,
    contracts: ContractSource,
    names: Sequence[str],
    scratch: Path,
    threads: int | None,
    memory_limit_gb: float,
    reporter: Reporter,
    asked: Asked | None,
) -> list[_View]:
    views = []
    with reporter.track("report", len(names), "scenarios") as advance:
        for name in names:
            with open_database(memory_limit_gb, threads, scratch / "spill") as database:
                scene = open_scene(root, contracts, name, database, threads or all_threads(), scratch)
                views.append(_view(scene, asked.events.get(name, ()) if asked else ()))
            advance(1)
    return views


def _view(scene: Scene, events: Sequence[Event]) -> _View:
    keys, clock, time = measure_keys(scene), measure_clocks(scene), measure_hours(scene)
    place, draw = measure_places(scene), measure_draws(scene)
    sections = (
        ("Conservation", conservation(keys, scene.thinning)),
        ("Clocks", clocks(clock, scene)),
        ("When arrivals come", (*hours(time, scene, events), profiles(time, scene.thinning))),
        ("Where arrivals land", (*concentration(place), *zones(place))),
        ("How intensities and counts are drawn", draws(draw, scene)),
    )
    return _View(
        scene.scenario_id,
        scene.arrivals,
        sum(virtual for *_, virtual in place.zones),
        scene.number("SELECT count(*) FROM series"),
        scene.number("SELECT count(DISTINCT merchant_id) FROM series"),
        len(place.zones),
        scene.start_us,
        scene.end_us,
        scene.buckets,
        sections,
    )


def _compose(
    root: RunRoot, contracts: ContractSource, views: Sequence[_View], asked: Asked | None
) -> tuple[bytes, str]:
    report = read_validation(root, contracts)
    board = read_gateboard(root) or (sentinel_board(report) if report else None)
    arrivals = sum(view.arrivals for view in views)
    times = html.section("Time it took", [state_times(read_state_times(root), arrivals)], "run")
    left = html.column(html.verdict(report), times)
    body = [
        html.head(root.identity, report, _numbers(views), arrivals),
        html.duo(left, html.gateboard(board)),
        html.asked(asked),
        *html.scenarios([(view.scenario_id, view.sections) for view in views]),
        html.foot(root.identity),
    ]
    return html.page(root.identity, body, len(views)).encode(), str(report.get("status", "")) if report else ""


def _numbers(views: Sequence[_View]) -> list[tuple[str, str]]:
    arrivals, virtual = sum(view.arrivals for view in views), sum(view.virtual for view in views)
    first, last = min(view.start_us for view in views), max(view.end_us for view in views) - 1
    return [
        ("arrivals", count(arrivals)),
        ("virtual", f"{100 * virtual / arrivals:.2f}%" if arrivals else "–"),
        ("merchants", count(max(view.merchants for view in views))),
        ("series", count(max(view.series for view in views))),
        ("time zones", count(max(view.zones for view in views))),
        ("buckets", count(max(view.buckets for view in views))),
        ("scenarios", count(len(views))),
        ("first day", _day(first)),
        ("last day", _day(last)),
    ]


def _day(instant_us: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant_us)
    return f"{moment.day} {moment:%b %Y}"


def _replace(target: Path, content: bytes) -> None:
    """Write beside the target, then take its place in one step."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
