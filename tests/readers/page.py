"""The reference page of readers: what was asked, of which releases, and the lines that answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from textwrap import fill
from typing import Final

from tests.readers.asking import READERS, Answers
from tests.readers.ways import Reader, Way

HEAD: Final = """# Readers

Libraries that read the arrivals, and the lines that read them right. `make readers` wrote this page: it asked each library, in
the oldest release that is allowed and in the newest there was, on a machine whose clock is New York's, about two small worlds with
a night in which clocks are set back, one of them with the seed 2^64-1.

Asked were the rows of the whole dataset from its folder; ids and the seed, many of them above 2^63 and some missing; instants, wall
clocks and offsets to the microsecond; one scenario; one merchant above 2^63; a stretch of time between two microseconds; and the
night in which an hour comes twice. *Right* is every row of every answer, with every line below; the table shows the first.

"""
TELLS: Final = """
In the lines, `root` is the folder of a dataset in a run (`<run>/data/layer2/5B/arrival_events`), `folder` that of an export
(`seg5b export --scenario all --partition-by scenario_id,day --format parquet`), `lake` and `warehouse` those of a Delta table and
of an Iceberg catalog; `scenario` is text, `merchant` a number, `start` and `end` datetimes in UTC. [How to read](../how-to/read.md)
shows each on a run of yours.
"""
SOURCES: Final = {"published": "dataset in a run", "exported": "export"}


def page(oldest: Mapping[str, Answers], newest: Mapping[str, Answers]) -> str:
    """The page, by the answers of readers in two environments, by package."""
    lines = [f"| reader | oldest | newest | {' | '.join(SOURCES.values())} |", "|---|---|---|---|---|"]
    for package, reader in READERS.items():
        asked = [each[package] for each in (oldest, newest) if package in each]
        if not asked:
            lines.append(f"| {reader.name} | | | not asked: not installed | not asked: not installed |")
            continue
        releases = [_releases(each.releases) for each in (asked if len(asked) == 2 else [*asked, *asked])]
        cells = [_verdict(reader, source, asked) for source in SOURCES]
        lines.append(f"| {reader.name} | {' | '.join([*releases, *cells])} |")
    return HEAD + "\n".join(lines) + "\n" + TELLS + "".join(map(section, READERS.values()))


def _releases(releases: Mapping[str, str]) -> str:
    (_, release), *others = releases.items()
    beside = ", ".join(f"{name} {each}" for name, each in others)
    return f"{release} ({beside})" if beside else f"{release}"


def _verdict(reader: Reader, source: str, asked: Iterable[Answers]) -> str:
    if not any(way.source == source for way in reader.ways):
        return "not its format"
    wrong: dict[str, None] = {}
    for answers in asked:
        for way, found in zip(reader.ways, answers.wrong, strict=True):
            wrong |= {question: None for question, what in found.items() if what and way.source == source}
    first = next(way for way in reader.ways if way.source == source)
    return f"**wrong**: {', '.join(wrong)}" if wrong else f"right: `{first.line}`"


def section(reader: Reader) -> str:
    """What a page says about one reader: a note and its lines."""
    blocks = [reader.prepared]
    for source, ways in groupby(reader.ways, key=lambda way: way.source):
        blocks += [_lines(way, SOURCES[source]) for way in ways]
    code = "\n\n".join(blocks)
    note = fill(reader.note, 128, break_long_words=False, break_on_hyphens=False)
    return f"\n## {reader.name}\n\n{note}\n\n```python\n{code}\n```\n"


def _lines(way: Way, source: str) -> str:
    opened = [way.opened] if way.opened else []
    fault = f": {way.fault}" if way.fault else ""
    return "\n".join([f"# {source}{fault}", *opened, way.whole, way.scenario, way.merchant, way.period])
