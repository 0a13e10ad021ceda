"""What is done to the files of a run by `tests.torture.tampering`, digests aside: by pyarrow and JSON alone."""

from __future__ import annotations

import re
import shutil
import struct
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.torture.insider import edit_lines, put_bytes
from tests.torture.rewriting import Change, rewrite
from tests.validation.harness import at, drop, put, swap

_OWN = "data/layer2/5B/{}/**/scenario_id=*/{}.parquet"
PLACES = {
    "grid": _OWN.format("s1_time_grid", "s1_time_grid_5B"),
    "grouping": _OWN.format("s1_grouping", "s1_grouping_5B"),
    "intensity": _OWN.format("s2_realised_intensity", "s2_realised_intensity_5B"),
    "latent": _OWN.format("s2_latent_field", "s2_latent_field_5B"),
    "counts": _OWN.format("s3_bucket_counts", "s3_bucket_counts_5B"),
    "arrivals": _OWN.format("arrival_events", "part-*"),
    "summary": _OWN.format("arrival_summary", "s4_arrival_summary_5B"),
    "anomalies": _OWN.format("arrival_anomalies", "s4_arrival_anomalies_5B"),
    "trace": "logs/layer2/5B/rng/trace/**/state=*/**/rng_trace_log.jsonl",
    "audit": "logs/layer2/5B/rng/audit/**/rng_audit_log.jsonl",
    "policies": "reference/config/layer2/5B/*.yaml",
    "surface": "data/layer2/5A/merchant_zone_scenario_local/**/*.parquet",
    "zone_alloc": "data/layer1/3A/zone_alloc/**/*.parquet",
    "settlement": "data/layer1/3B/virtual_settlement/**/*.parquet",
}
"""Where the files of each dataset of a run lie."""
KEY = ("merchant_id", "zone_representation", "channel_group", "bucket_index")
CLOCKS = ("primary", "settlement", "operational")
_ZONES = tuple(f"tzid_{clock}" for clock in CLOCKS)
_SECOND_US = 1_000_000
Act = Callable[[Path], None]


def files(run: Path, dataset: str) -> list[Path]:
    """Files of a dataset."""
    return sorted(run.glob(PLACES[dataset]))


def edit(dataset: str, *changes: Change, part: int = 0, **how: Any) -> Act:
    return lambda run: rewrite(files(run, dataset)[part], *changes, **how)


def _rows(file: Path, *columns: str) -> list[dict[str, Any]]:
    return list(pq.ParquetFile(file).read(list(columns) or None).to_pylist())


def _cell(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEY)


def _of_cell(cell: tuple[Any, ...]) -> Callable[[pa.Table], list[int]]:
    """The rows of one series and bucket."""

    def rows(table: pa.Table) -> list[int]:
        return [
            row for row, key in enumerate(zip(*(table[name].to_pylist() for name in KEY), strict=True)) if key == cell
        ]

    return rows


def _alike(rows: list[dict[str, Any]], same: tuple[str, ...], other: str) -> tuple[int, int]:
    """Two rows that are equal in some columns and differ in one, in which neither is null."""
    first: dict[tuple[Any, ...], int] = {}
    for number, row in enumerate(rows):
        if row[other] is None:
            continue
        before = first.setdefault(tuple(row[name] for name in same), number)
        if rows[before][other] != row[other]:
            return before, number
    raise LookupError(f"no two rows differ in {other} alone")


def _active(rows: list[dict[str, Any]], least: int = 2) -> int:
    """A cell with arrivals, not the first of the file."""
    return next(number for number, row in enumerate(rows) if number > 100 and row["count_N"] >= least)


def intensity(run: Path) -> None:
    """One intensity is a hundredth higher, and all that says so: factor, S3's intensity and mean."""
    (intensity,), (counts,) = files(run, "intensity"), files(run, "counts")
    rows = _rows(counts, *KEY, "count_N")
    cell = _of_cell(_cell(rows[_active(rows)]))
    more = lambda value: value * 1.01  # noqa: E731
    rewrite(intensity, put("lambda_realised", more, cell), put("lambda_random_component", more, cell))
    rewrite(counts, put("lambda_realised", more, cell), put("mu", more, cell))


def in_counts(column: str, change: Any) -> Act:
    def act(run: Path) -> None:
        (counts,) = files(run, "counts")
        rewrite(counts, put(column, change, at(_active(_rows(counts, "count_N")))))

    return act


def like_another(column: str, same: tuple[str, ...], exchange: bool = False) -> Act:
    """An arrival gets the value of another that is like it; ``exchange``: and that one its own."""

    def act(run: Path) -> None:
        file = files(run, "arrivals")[1]
        rows = _rows(file)
        one, other = _alike(rows, same, column)
        back = [put(column, rows[one][column], at(other))] if exchange else []
        rewrite(file, put(column, rows[other][column], at(one)), *back)

    return act


def another_value(dataset: str, column: str) -> Act:
    """The first row gets the first value that is not its own."""

    def act(run: Path) -> None:
        file = files(run, dataset)[0]
        own, *others = pq.ParquetFile(file).read()[column].to_pylist()
        rewrite(file, put(column, next(value for value in others if value != own), at(0)))

    return act


def routes(run: Path) -> None:
    file = files(run, "summary")[0]
    number, row = next((n, row) for n, row in enumerate(_rows(file)) if row["count_physical"] != row["count_virtual"])
    rewrite(
        file,
        put("count_physical", row["count_virtual"], at(number)),
        put("count_virtual", row["count_physical"], at(number)),
    )


def _neighbours(rows: list[dict[str, Any]], apart_us: int) -> int:
    """An arrival whose next one of the same merchant and bucket comes so much later."""
    for number, (row, after) in enumerate(pairwise(rows)):
        same = (row["merchant_id"], row["bucket_index"]) == (after["merchant_id"], after["bucket_index"])
        if number > 10 and same and (after["ts_utc"] - row["ts_utc"]).total_seconds() * _SECOND_US > apart_us:
            return number
    raise LookupError("no arrivals are so far apart")


def later(run: Path) -> None:
    """An arrival comes a second later, still in its bucket and before the next one, by all of its clocks."""
    file = files(run, "arrivals")[1]
    moved = at(_neighbours(_rows(file), 2 * _SECOND_US))
    names = ("ts_utc", *(f"ts_local_{clock}" for clock in CLOCKS))
    rewrite(file, *(put(name, lambda value: value + _SECOND_US, moved) for name in names))


def order(run: Path) -> None:
    file = files(run, "arrivals")[1]
    first = _neighbours(_rows(file), 0)
    rewrite(file, swap(first, first + 1))


def offset(run: Path) -> None:
    """One offset is an hour more, and its clock with it."""
    row = at(200)
    hour = 60 * 60 * _SECOND_US
    clock = put("ts_local_operational", lambda value: value + hour, row)
    rewrite(files(run, "arrivals")[1], put("utc_offset_min_operational", lambda value: value + 60, row), clock)


def resized(by: int, run: Path) -> None:
    """A physical arrival is left out (-1), or one is made up beside it (1); counts, summary, numbers and traces follow."""
    file = files(run, "arrivals")[-1]
    rows = _rows(file)
    counted = {_cell(row): row["count_N"] for row in _rows(files(run, "counts")[0], *KEY, "count_N")}
    place = next(
        number
        for number in range(_neighbours(rows, 2), len(rows) - 1)
        if not rows[number]["is_virtual"] and counted[_cell(rows[number])] >= 2 and _apart(rows, number)
    )
    row, cell = rows[place], _of_cell(_cell(rows[place]))
    later = [n for n, each in enumerate(rows) if n > place and each["merchant_id"] == row["merchant_id"]]
    more = lambda value: value + by  # noqa: E731
    size = drop(place) if by < 0 else partial(_double, place)
    rewrite(file, put("arrival_seq", more, lambda _: later), size)
    rewrite(files(run, "counts")[0], put("count_N", more, cell))
    rewrite(files(run, "summary")[0], put("count_N", more, cell), put("count_physical", more, cell))
    part = len(files(run, "arrivals")) - 1
    for label in ("arrival_time_jitter", "arrival_site_pick"):
        of_trace(run, partial(_more_events, label, part, by))


RESIZED = {
    "arrivals": ("rows",),
    "counts": ("count_N",),
    "summary": ("count_N", "count_physical"),
    "trace": ("text",),
}


def _apart(rows: list[dict[str, Any]], place: int) -> bool:
    return bool((rows[place + 1]["ts_utc"] - rows[place]["ts_utc"]).total_seconds() > 2 / _SECOND_US)


def _double(place: int, table: pa.Table) -> pa.Table:
    """A row once more, a microsecond later and with the next number."""
    again = table.slice(place, 1)
    for name in ("ts_utc", *(f"ts_local_{clock}" for clock in CLOCKS), "arrival_seq"):
        again = put(name, lambda value: value + 1)(again)
    pieces = [table.slice(0, place + 1), again.cast(table.schema), table.slice(place + 1)]
    return pa.concat_tables(pieces).unify_dictionaries()


def of_trace(run: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    edit_lines(next(file for file in files(run, "trace") if "/state=S4/" in file.as_posix()), change)


def _more_events(label: str, part: int, by: int, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """So many events more of a substream in a part, with their draws and blocks."""

    def changed(record: dict[str, Any]) -> dict[str, Any]:
        if (record["substream_label"], record["part"]) != (label, part):
            return record
        names = ("events_total", "draws_total", "blocks_total")
        return record | {name: record[name] + by * (record[name] // record["events_total"]) for name in names}

    return [changed(record) for record in records]


def moved_events(run: Path) -> None:
    """An event of one part is told of another, with its draws and blocks: the sums are as they were."""
    of_trace(run, partial(_more_events, "arrival_time_jitter", 0, 1))
    of_trace(run, partial(_more_events, "arrival_time_jitter", 1, -1))


def counter(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    first, *rest = records
    return [first | {"rng_counter_after_lo": first["rng_counter_after_lo"] + 1}, *rest]


def exchanged_parts(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    other = {0: 1, 1: 0}
    return [record | {"part": other.get(record["part"], record["part"])} for record in records]


def audit(**values: object) -> Act:
    return lambda run: edit_lines(files(run, "audit")[0], lambda records: [record | values for record in records])


def statistics(run: Path) -> None:
    """The footer states a latest time of a row group that is an hour later."""
    file = files(run, "arrivals")[1]
    form = pq.ParquetFile(file)
    times = form.metadata.row_group(0).column(form.schema_arrow.get_field_index("ts_utc")).statistics
    latest = int(pa.scalar(times.max).cast(pa.int64()).as_py())
    raw = file.read_bytes()
    start = len(raw) - 8 - struct.unpack("<I", raw[-8:-4])[0]
    footer = raw[start:].replace(struct.pack("<q", latest), struct.pack("<q", latest + 3600 * _SECOND_US))
    put_bytes(file, raw[:start] + footer)


def another_part(run: Path) -> None:
    """A part without rows behind the last one."""
    last = files(run, "arrivals")[-1]
    number = int(last.stem.removeprefix("part-")) + 1
    new = last.with_name(f"part-{number:06d}.parquet")
    shutil.copyfile(last, new)
    rewrite(new, lambda table: table.slice(0, 0), metadata={"seg5b.part": str(number)})


def renumbered(run: Path) -> None:
    one, other = files(run, "arrivals")[1:3]
    first, second = one.read_bytes(), other.read_bytes()
    put_bytes(one, second)
    put_bytes(other, first)


def _policy(name: str, pattern: str, new: str, run: Path) -> None:
    file = run / f"reference/config/layer2/5B/{name}.yaml"
    text, times = re.subn(pattern, new, file.read_text("utf-8"), count=1)
    assert times, f"{name} has no {pattern}"
    put_bytes(file, text.encode())


SIGMA = partial(_policy, "arrival_lgcp_config_5B", r"always_on_local: 0\.95", "always_on_local: 0.96")
KAPPA = partial(_policy, "arrival_count_config_5B", r"online_24h: 0\.85", "online_24h: 0.86")
LOOSE = partial(_policy, "validation_policy_5B", r"clock_tolerance_seconds: 1\.0", "clock_tolerance_seconds: 90.0")
NOTE = partial(_policy, "arrival_count_config_5B", r"\Z", "# read again\n")
LAMBDA = "lambda_local_scenario"


def another_world(run: Path) -> None:
    """Surface, settlement zones and policies as another world of the same name has them; the gate is sealed over them."""
    rewrite(files(run, "surface")[0], put(LAMBDA, lambda value: value * 1.25))
    rewrite(files(run, "settlement")[0], put("tzid_settlement", "Europe/Madrid"))
    for change in (SIGMA, KAPPA):
        change(run)


def one_lambda(run: Path) -> None:
    """The largest value of the surface is half as much again."""
    surface = files(run, "surface")[0]
    values = pq.ParquetFile(surface).read()[LAMBDA].to_pylist()
    rewrite(surface, put(LAMBDA, lambda value: value * 1.5, at(values.index(max(values)))))


def last_two_exchanged(table: pa.Table) -> pa.Table:
    *names, one, other = table.column_names
    return table.select([*names, other, one])


SAME_PLACE = ("merchant_id", "is_virtual", *_ZONES)


def less(value: Any) -> Any:
    """One less."""
    return value - 1


def half(value: Any) -> Any:
    """Half of it."""
    return value / 2
