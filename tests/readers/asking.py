"""Asks readers everything, in an environment that has some of them:

    python -m tests.readers.asking MATERIAL pandas pyarrow

prints, as JSON, for each that is installed, releases and what is wrong with each answer of each way; empty if nothing is.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from tests.readers.arrow import CLICKHOUSE, DELTALAKE, PYARROW, PYICEBERG
from tests.readers.engines import DATAFUSION, DUCKDB, POLARS, SPARK
from tests.readers.frames import CUDF, DASK, FASTPARQUET, PANDAS
from tests.readers.truth import Asked, difference, plain
from tests.readers.ways import QUESTIONS, READS, Reader, Way

READERS: Final = {
    each.package: each
    for each in (
        *(
            PANDAS,
            PYARROW,
            POLARS,
            DUCKDB,
            DASK,
            SPARK,
            CLICKHOUSE,
            DATAFUSION,
            CUDF,
            FASTPARQUET,
            DELTALAKE,
            PYICEBERG,
        ),
    )
}
"""Every reader by its package, in the order of the reference page."""


@dataclass(frozen=True, slots=True)
class Answers:
    """``releases`` by package. ``wrong``: for each way, for each question, what is wrong in the first world where something
    is; empty for a right answer."""

    releases: dict[str, str]
    wrong: list[dict[str, str]]


def ask(reader: Reader, material: Path) -> Answers:
    """Ask a reader everything about every world of the material. Raises `ImportError` without the library."""
    held: dict[str, Any] = {}
    exec(reader.prepared, held)
    worlds = [Asked.read(file) for file in sorted(material.glob("*.json"))]
    if not worlds:
        raise FileNotFoundError(material)
    wrong = []
    for way in reader.ways:
        found = [_answers(reader, way, held, asked) for asked in worlds]
        wrong.append({question: next(filter(None, (each[question] for each in found)), "") for question in QUESTIONS})
    return Answers(_releases(reader), wrong)


def _releases(reader: Reader) -> dict[str, str]:
    return {each: version(each) for each in (reader.package, *reader.beside) if installed(each)}


def _answers(reader: Reader, way: Way, held: dict[str, Any], asked: Asked) -> dict[str, str]:
    names = {**held, **{name: getattr(asked, name) for name in Asked.__slots__ if name != "rows"}}
    night = {**names, "start": asked.dusk, "end": asked.dawn}
    try:
        exec(way.opened, names)
        exec(way.opened, night)
    except Exception as failure:
        return dict.fromkeys(QUESTIONS, _told(failure))
    read = {name: _rows(reader, getattr(way, name), names) for name in READS}
    read["night"] = _rows(reader, way.period, night)
    answers = {}
    for question, (by, columns) in QUESTIONS.items():
        rows = read["night" if question == "night" else by]
        answers[question] = rows if isinstance(rows, str) else difference(rows, asked.expected(question), columns)
    return answers


def _rows(reader: Reader, expression: str, names: dict[str, Any]) -> list[Any] | str:
    """Rows as plain values, or what went wrong."""
    try:
        return [plain(row) for row in reader.rows(eval(expression, names))]
    except Exception as failure:
        return _told(failure)


def _told(failure: Exception) -> str:
    return f"{type(failure).__name__}: {' '.join(str(failure).split())[:160]}"


def installed(package: str) -> bool:
    """Whether this environment has a reader."""
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    place, *packages = sys.argv[1:]
    with redirect_stdout(sys.stderr):  # some talk
        answers = {each: asdict(ask(READERS[each], Path(place))) for each in packages if installed(each)}
    json.dump(answers, sys.stdout)
