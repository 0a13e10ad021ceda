"""A user's own table of intensities: every bucket expects what the table says, and what is wrong is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

import seg5b
from seg5b.errors import WorldError
from seg5b.places import merchant_rows
from seg5b.world import World
from seg5b.world.surface import Surface
from seg5b.world.world import BuiltWorld, build_world

START = datetime(2026, 10, 31, tzinfo=UTC)
HOURS = 3 * 24
SPEC = """name: own
horizon: {start: 2026-10-31, days: 3}
places: {countries: {US: 3, GB: 1}}
"""
HEAD = "merchant_id,bucket_start_utc,expected_arrivals"
Cell = tuple[Any, ...]


def cells(merchant: int, *names: str, level: float = 5.0) -> list[Cell]:
    """Every second hour, more each time."""
    return [
        (merchant, f"{START + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ}", level + hour / 7, *names)
        for hour in range(0, HOURS, 2)
    ]


def with_surface(folder: Path, rows: list[Cell], *columns: str, spec: str = "") -> World:
    text = "\n".join([",".join((HEAD, *columns)), *(",".join(map(str, row)) for row in rows)])
    (folder / "expected.csv").write_text(text + "\n")
    volume = "" if "volume:" in spec else "volume: {file: expected.csv}\n"
    (folder / "w.yaml").write_text(SPEC + volume + spec)
    return World.from_file(folder / "w.yaml")


def built(world: World) -> tuple[BuiltWorld, Surface]:
    made = build_world(world.plan, unique_keys=False)
    return made, Surface(made, "")


def intensity(made: BuiltWorld, surface: Surface) -> np.ndarray:
    """Of every row and bucket, as blocks have it."""
    return np.concatenate([block.lambda_ for block in surface.blocks(made.plan.scenarios[0])])


def stated(rows: list[Cell]) -> np.ndarray:
    """What rows of one merchant say of each bucket."""
    found = np.zeros(HOURS)
    for _, moment, expected, *_ in rows:
        found[int((datetime.fromisoformat(moment) - START).total_seconds()) // 3600] += expected
    return found


def test_every_bucket_expects_what_the_table_says(tmp_path: Path) -> None:
    rows = {7: cells(7), 2**64 - 1: cells(2**64 - 1, level=40.0)}
    made, surface = built(with_surface(tmp_path, [*rows[2**64 - 1], *rows[7]]))
    assert made.merchants.id.tolist() == list(rows)
    found, owner = intensity(made, surface), made.rows.merchant[made.channels.row]
    for place, own in enumerate(rows.values()):
        assert found[owner == place].sum(axis=0) == pytest.approx(stated(own), rel=1e-6)
        assert made.merchants.weekly[place] == pytest.approx(stated(own).sum() * 168 / HOURS)
    assert surface.largest() >= found.max()


def test_zones_and_channels_are_told_apart(tmp_path: Path) -> None:
    zones = {"Europe/London": 2.0, "America/Denver": 30.0, "America/New_York": 9.0}
    channels = {"wallet": 1.0, "card_present": 4.0}
    rows = [
        cell for zone, level in zones.items() for name, times in channels.items()
        for cell in cells(5, zone, name, level=level * times)
    ]  # fmt: skip
    spec = "channels: {card_present: {share: 9}, wallet: {share: 1}, moto: {share: 1}}\nmerchants: {classes: {office_hours: 1}}\n"
    made, surface = built(with_surface(tmp_path, rows, "zone", "channel", spec=spec))
    found = intensity(made, surface)
    names = [
        (made.geography.tzids[made.rows.zone[row]], made.channels.names[channel])
        for row, channel in zip(made.channels.row, made.channels.channel, strict=True)
    ]
    assert {zone for zone, _ in names} == set(zones)
    for place, (zone, channel) in enumerate(names):
        own = [cell for cell in rows if cell[3:] == (zone, channel)]
        assert found[place] == pytest.approx(stated(own), rel=1e-6), (zone, channel)
        assert bool(own) == (channel != "moto")
    assert made.channels.names[made.channels.main[0]] == "card_present"


def test_the_local_week_is_the_mean_of_the_table(tmp_path: Path) -> None:
    made, surface = built(with_surface(tmp_path, cells(7)))
    assert surface.baseline(0, len(made.channels)).sum(axis=1) == pytest.approx(made.channels.weekly)


def test_overlays_and_scale_work_on_it(tmp_path: Path) -> None:
    sale = "{name: sale, type: campaign, start: '2026-11-01T00:00', hours: 3, factor: 2, clock: utc}"
    plain = with_surface(tmp_path, cells(7))
    changed = plain.with_({"volume.scale": 3, "scenarios": [{"id": "a", "overlays": [_yaml(sale)]}]})
    before, after = (intensity(*built(world)).sum(axis=0) for world in (plain, changed))
    assert after == pytest.approx(before * np.where(np.isin(np.arange(HOURS), [24, 25, 26]), 6, 3), rel=1e-6)


def _yaml(text: str) -> Any:
    import yaml

    return yaml.safe_load(text)


def test_merchants_beside_the_table_are_made_as_others(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(
        "merchant_id,weekly_volume,demand_class\n7,1,fuel_convenience\n9,700,office_hours\n"
    )
    made, surface = built(with_surface(tmp_path, cells(7), spec="merchants: {file: mine.csv}\n"))
    assert made.merchants.weekly.tolist() == pytest.approx([stated(cells(7)).sum() * 168 / HOURS, 700])
    other = intensity(made, surface)[made.rows.merchant[made.channels.row] == 1].sum(axis=0)
    assert (other > 0).sum() > HOURS / 2
    (tmp_path / "mine.csv").write_text("merchant_id\n7\n9\n")
    with pytest.raises(WorldError, match=r"9 is of merchants.file and has no rows"):
        with_surface(tmp_path, cells(7), spec="merchants: {file: mine.csv}\n")


def test_a_parquet_table_is_the_same(tmp_path: Path) -> None:
    text = with_surface(tmp_path, cells(7, "Europe/London"), "zone")
    options = pa_csv.ConvertOptions(
        column_types={"merchant_id": "uint64", "bucket_start_utc": pa.timestamp("s", "UTC")}
    )
    table = pa_csv.read_csv(tmp_path / "expected.csv", convert_options=options)
    shuffled = table.take(np.random.default_rng(1).permutation(table.num_rows))
    pq.write_table(shuffled, tmp_path / "expected.parquet")
    values = {"volume.file": str(tmp_path / "expected.parquet"), "volume.file_sha256": None}
    tables = [each.plan.own_surface for each in (text, text.with_(values))]
    assert tables[0] and tables[1] and tables[0].zone == tables[1].zone
    for name in ("merchant", "first", "bucket", "expected"):
        assert (getattr(tables[0], name) == getattr(tables[1], name)).all(), name


def test_the_content_of_the_table_is_the_identity(tmp_path: Path) -> None:
    one = with_surface(tmp_path, cells(7)).make(tmp_path / "runs")
    (tmp_path / "elsewhere").mkdir()
    assert with_surface(tmp_path / "elsewhere", cells(7)).make(tmp_path / "runs") == one
    assert with_surface(tmp_path, cells(7, level=6)).make(tmp_path / "runs") != one


def test_a_world_of_a_table_passes(tmp_path: Path) -> None:
    rows = [*cells(7, "Europe/London", level=60), *cells(9, "America/New_York", level=90)]
    run_id = with_surface(tmp_path, rows, "zone").make(tmp_path / "runs")
    result = seg5b.run(tmp_path / "runs", run_id)
    assert [state.record["status"] for state in result.states] == ["PASS"] * 6
    run = seg5b.open_run(tmp_path / "runs", run_id)
    grid = run.table("s3_bucket_counts_5B", "baseline_v1").to_pandas()
    assert set(grid[grid.count_N > 0].bucket_index % 2) == {0}
    assert [row[0] for row in merchant_rows(run.root, run.contracts)] == [7, 9]


TWO = cells(7)[:2]


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("merchant_id,expected_arrivals\n7,1\n", "bucket_start_utc", "has no such column"),
        (f"{HEAD},zones\n7,2026-10-31,1,Europe/London\n", "zones", "unknown column"),
        (f"{HEAD}\n", "file", "has 0 rows"),
        (f"{HEAD}\n0,2026-10-31,1\n", "merchant_id", "in row 1 is not within 1"),
        (f"{HEAD}\n7.0,2026-10-31,1\n", "merchant_id", "in row 1 is no whole number"),
        (f"{HEAD}\n7,2026-10-31,1\n7,2026-10-31T01:00,-2\n", "expected_arrivals", "in row 2 is below 0"),
        (f"{HEAD}\n7,2026-10-31,inf\n", "expected_arrivals", "in row 1 is below 0 or not finite"),
        (f"{HEAD}\n7,2026-10-31,many\n", "expected_arrivals", "in row 1 is no number"),
        (f"{HEAD}\n7,yesterday,1\n", "bucket_start_utc", "in row 1 is no moment"),
        (f"{HEAD}\n7,2026-10-30T23:00,1\n", "bucket_start_utc", "is not within 2026-10-31T00:00Z .. 2026-11-03T00:00Z"),
        (f"{HEAD}\n7,2026-10-31T00:30,1\n", "bucket_start_utc", "is not the start of a bucket of 3600 s"),
        (f"{HEAD}\n7,2026-10-31,1\n8,2026-10-31,1\n7,2026-10-31T00:00:00Z,2\n", "bucket_start_utc", "in row 3 is there already, in row 1"),
        (f"{HEAD},zone\n7,2026-10-31,1,Europe/Paris\n", "zone", "in row 1 is none of America/"),
        (f"{HEAD},channel\n7,2026-10-31,1,moto\n", "channel", "in row 1 is none of"),
        (f"{HEAD}\n7,2026-10-31,1\n8,2026-10-31,0\n", "merchant_id", "8 has no expected arrivals"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_told_by_column_and_row(tmp_path: Path, text: str, key: str, says: str) -> None:
    (tmp_path / "expected.csv").write_text(text)
    (tmp_path / "w.yaml").write_text(SPEC + "volume: {file: expected.csv}\n")
    with pytest.raises(WorldError) as caught:
        World.from_file(tmp_path / "w.yaml")
    assert caught.value.where.endswith(key) and says in caught.value.what


def test_what_does_not_fit_other_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("merchant_id,demand_class\n7,online_24h\n")
    with pytest.raises(WorldError, match=r"volume.file.merchant_id: 9 in row 1 is no merchant of merchants.file"):
        with_surface(tmp_path, cells(9), spec="merchants: {file: mine.csv}\n")
    channels = "channels: {wallet: {share: 1}, moto: {share: 1, classes: [office_hours]}}\n"
    world = with_surface(tmp_path, cells(7, "moto"), "channel", spec="merchants: {file: mine.csv}\n" + channels)
    with pytest.raises(WorldError, match="'moto' is no channel that online_24h sells through"):
        world.check()
    (tmp_path / "sites.csv").write_text("merchant_id,zone,latitude,longitude\n7,Europe/London,51.5,0\n")
    both = "merchants: {file: mine.csv, sites: {file: sites.csv}}\n"
    with pytest.raises(WorldError, match=r"volume.file.zone: 'America/Denver' of merchant 7 has no sites"):
        with_surface(tmp_path, cells(7, "America/Denver"), "zone", spec=both)


def test_a_stated_count_must_agree(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"merchants.count: 5 does not agree with the 1 merchants of expected.csv"):
        with_surface(tmp_path, cells(7), spec="merchants: {count: 5}\n")
