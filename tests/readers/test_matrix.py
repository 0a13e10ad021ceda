"""Real libraries read the arrivals right, from a run and from exports: every row, id, instant and wall clock. `make readers` asks
more of them, each alone, and in its oldest allowed release too (docs/reference/readers.md)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from tests.readers import page
from tests.readers.__main__ import PAGE, answers_of, faults, requirements
from tests.readers.asking import READERS, Answers, ask
from tests.readers.material import SEEDS, make_material
from tests.readers.truth import CLOCKS, FIELDS, Asked, micros
from tests.readers.ways import QUESTIONS, Reader, Way

HEAVY = ("chdb", "cudf", "pyspark")
"""Asked by `make readers` alone."""
EPOCH = datetime(1970, 1, 1)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="module")
def worlds(material: Path) -> list[Asked]:
    return [Asked.read(material / f"{seed}.json") for seed in SEEDS]


@pytest.fixture(scope="module")
def answers(material: Path) -> dict[str, Answers]:
    """Of all that are installed, in one process: they share much of what they import."""
    return answers_of(sys.executable, [each for each in READERS if each not in HEAVY], material)


@pytest.mark.parametrize("package", [each for each in READERS if each not in HEAVY])
def test_a_reader(answers: dict[str, Answers], package: str) -> None:
    if package not in answers:
        pytest.skip(f"{package} is not installed")
    assert list(faults(package, answers[package])) == []


def test_what_is_asked_is_hard(worlds: list[Asked]) -> None:
    for seed, asked in zip(SEEDS, worlds, strict=True):
        columns = dict(zip(FIELDS, zip(*asked.rows, strict=True), strict=True))
        assert {*columns["seed"]} == {seed} and asked.merchant >= 1 << 63
        for name in ("site_id", "edge_id"):
            assert None in columns[name] and any(each and each >= 1 << 63 for each in columns[name])
        for question in ("scenario", "merchant", "period", "night"):
            assert 0 < len(asked.expected(question)) < len(asked.rows)
        (first, *_, last) = sorted(row[FIELDS.index("ts_utc")] for row in asked.expected("period"))
        assert first == micros(asked.start) and last < micros(asked.end), "bounds are arrivals, in and out"


def test_the_truth_is_true(worlds: list[Asked]) -> None:
    """Clocks by the standard library's zones, and an hour that comes twice."""
    for asked in worlds:
        offsets: dict[tuple[str, int], set[int]] = {}
        for row, zones in zip(asked.rows, _zones(asked), strict=True):
            values = dict(zip(FIELDS, row, strict=True))
            instant = EPOCH.replace(tzinfo=UTC) + timedelta(microseconds=values["ts_utc"])
            for clock in CLOCKS:
                there = instant.astimezone(ZoneInfo(zones[f"tzid_{clock}"]))
                assert micros(there.replace(tzinfo=None), wall_clock=True) == values[f"ts_local_{clock}"]
                assert there.utcoffset() == timedelta(minutes=values[f"utc_offset_min_{clock}"])
            hour = (zones["tzid_primary"], values["ts_local_primary"] // 3_600_000_000)
            offsets.setdefault(hour, set()).add(values["utc_offset_min_primary"])
        assert any(len(each) == 2 for each in offsets.values())


def _zones(asked: Asked) -> Iterator[dict[str, str]]:
    for file in sorted(Path(asked.root).rglob("*.parquet")):
        with pq.ParquetFile(file) as opened:
            yield from opened.read([f"tzid_{clock}" for clock in CLOCKS]).to_pylist()


WAY = Way("published", "", "'whole'", "'scenario'", "'merchant'", "(start, end)")


def wrong_of(material: Path, change: Any) -> dict[str, str]:
    """What is found wrong with a reader that knows the truth about the first world but for a change of its rows."""
    asked = Asked.read(material / f"{SEEDS[0]}.json")
    alone = material / "alone"
    alone.mkdir(exist_ok=True)
    asked.write(alone / "asked.json")

    def rows(read: Any) -> Iterator[dict[str, Any]]:
        period = isinstance(read, tuple)
        world = replace(asked, start=read[0], end=read[1]) if period else asked
        for row in world.expected("period" if period else read):
            values = dict(zip(FIELDS, row, strict=True))
            values["ts_local_primary"] = EPOCH + timedelta(microseconds=values["ts_local_primary"])
            values["ts_utc"] = EPOCH.replace(tzinfo=UTC) + timedelta(microseconds=values["ts_utc"])
            yield values | change(values)

    (wrong,) = ask(Reader("truth", "truth", "", (WAY,), rows), alone).wrong
    return {question: what for question, what in wrong.items() if what}


@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        (lambda row: {}, set()),
        (lambda row: {"site_id": row["site_id"] and float(row["site_id"])}, {"ids", "scenario", "merchant", "period"}),
        (lambda row: {"edge_id": row["edge_id"] or 0}, {"ids", "scenario", "merchant", "period"}),
        (lambda row: {"seed": 43}, {"ids", "scenario", "merchant", "period"}),
        (lambda row: {"arrival_seq": 1}, {*QUESTIONS}),
        (lambda row: {"ts_utc": row["ts_utc"].replace(tzinfo=None)}, {*QUESTIONS}),
        (lambda row: {"ts_utc": row["ts_utc"] + timedelta(microseconds=1)}, {*QUESTIONS} - {"rows", "ids"}),
        (lambda row: {"ts_local_primary": row["ts_utc"]}, {*QUESTIONS}),
        (lambda row: {"utc_offset_min_primary": -300}, {"clocks", "night"}),
    ],
)
def test_a_wrong_reader_is_found(material: Path, change: Any, noticed: set[str]) -> None:
    assert {*wrong_of(material, change)} == noticed


def test_the_page_has_the_lines_that_are_asked() -> None:
    text = PAGE.read_text("utf-8")
    assert [reader.name for reader in READERS.values() if page.section(reader) not in text] == []
    assert text.startswith(page.HEAD) and page.TELLS in text


def test_oldest_releases_are_those_that_are_allowed() -> None:
    named = {each.partition("[")[0].partition("==")[0] for each in requirements(oldest=True)}
    assert all("==" in each for each in requirements(oldest=True))
    assert named == {*READERS} - {"cudf"}
