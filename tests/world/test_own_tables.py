"""A user's own merchants and sites: what the tables say stands in for what would be made, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from seg5b.errors import WorldError
from seg5b.world import World
from seg5b.world.sites import positions
from seg5b.world.vocabulary import CLASSES, MODES
from seg5b.world.world import build_world

TABLE = """merchant_id,weekly_volume,demand_class,country,virtual_mode
77,1000,consumer_daytime,US,NON_VIRTUAL
5,300.5,online_24h,GB,VIRTUAL_ONLY
18446744073709551615,50,online_24h,GB,HYBRID
"""


NO_DIGEST = {"merchants.file_sha256": None}
SITES = """merchant_id,zone,latitude,longitude,weight
77,America/Chicago,41.9,-87.6,1
77,America/New_York,40.7,-74.0,2
77,America/Chicago,29.8,-95.4,1
18446744073709551615,Europe/London,51.5,-0.1,5
"""


def own_table(folder: Path, text: str) -> World:
    (folder / "mine.csv").write_text(text)
    (folder / "w.yaml").write_text(
        "name: own\nhorizon: {start: 2026-11-01, days: 7}\nplaces: {countries: [US, GB]}\nmerchants: {file: mine.csv}\n"
    )
    return World.from_file(folder / "w.yaml")


def test_own_merchants_stand_in(tmp_path: Path) -> None:
    world = build_world(own_table(tmp_path, TABLE).plan, unique_keys=False)
    merchants = world.merchants
    assert merchants.id.tolist() == [5, 77, 2**64 - 1] and merchants.weekly.tolist() == pytest.approx([300.5, 1000, 50])
    assert [MODES[code] for code in merchants.mode_code] == ["VIRTUAL_ONLY", "NON_VIRTUAL", "HYBRID"]
    assert [CLASSES[code] for code in merchants.class_code] == ["online_24h", "consumer_daytime", "online_24h"]
    rows = world.rows
    mostly = [max(np.flatnonzero(rows.merchant == place), key=rows.weekly.__getitem__) for place in range(3)]
    assert [world.geography.countries[rows.country[row]] for row in mostly] == ["GB", "US", "GB"]


def test_own_merchants_may_be_ids_alone_and_their_content_is_the_identity(tmp_path: Path) -> None:
    one = own_table(tmp_path, "merchant_id\n3\n9\n")
    assert one.plan.merchants == 2 and one.plan.weekly_total == 2000
    run = one.make(tmp_path / "runs")
    other = own_table(tmp_path, "merchant_id\n3\n10\n")
    assert other.make(tmp_path / "runs") != run
    assert one.document["merchants"]["file_sha256"] != other.document["merchants"]["file_sha256"]


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        (TABLE.replace("weekly_volume", "weekly_volumes"), "weekly_volumes", "unknown column"),
        (TABLE.replace("merchant_id", "country_"), "country_", "unknown column"),
        ("country\nGB\n", "merchant_id", "has no such column"),
        (TABLE.replace("300.5", "-1"), "weekly_volume", "in row 2 is not above 0"),
        (TABLE.replace("300.5", "many"), "weekly_volume", "in row 2 is no number"),
        (TABLE.replace("\n77,", "\n5,"), "merchant_id", "is there twice"),
        (TABLE.replace("\n77,", "\n7.5,"), "merchant_id", "in row 1 is no whole number"),
        (TABLE.replace("\n77,", "\n0,"), "merchant_id", "is not within 1"),
        (TABLE.replace("US", "FR"), "country", "in row 1 is none of GB, US"),
        (TABLE.replace("HYBRID", "BOTH"), "virtual_mode", "in row 3 is none of NON_VIRTUAL"),
        (TABLE.replace("consumer_daytime", "shop"), "demand_class", "in row 1 is none of"),
        ("merchant_id\n", "count", "does not agree with the 0 rows"),
        ("merchant_id,country\n1\n", "file", "cannot be read"),
    ],
)
def test_a_wrong_table_is_told_by_column_and_row(tmp_path: Path, text: str, key: str, says: str) -> None:
    with pytest.raises(WorldError) as caught:
        own_table(tmp_path, text)
    assert caught.value.where.endswith(key) and says in caught.value.what


def test_a_table_that_is_not_there_is_named_with_its_path(tmp_path: Path) -> None:
    world = own_table(tmp_path, TABLE)
    with pytest.raises(
        WorldError, match=r"merchants.file: '.*/none.csv' is no file .* the folder of the specification"
    ):
        world.with_({"merchants.file": str(tmp_path / "none.csv")})


def test_a_parquet_table_is_the_same(tmp_path: Path) -> None:
    text = own_table(tmp_path, TABLE).plan.own
    options = pyarrow.csv.ConvertOptions(column_types={"merchant_id": "uint64"})
    pq.write_table(pyarrow.csv.read_csv(tmp_path / "mine.csv", convert_options=options), tmp_path / "mine.parquet")
    own = own_table(tmp_path, TABLE).with_({"merchants.file": str(tmp_path / "mine.parquet")} | NO_DIGEST)
    assert own.plan.own == text


def test_a_table_of_too_many_merchants_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seg5b.world.spec.planning.MOST_MERCHANTS", 2)
    with pytest.raises(WorldError) as caught:
        own_table(tmp_path, TABLE)
    assert caught.value.where == "merchants.file" and "has more than 2 merchants" in caught.value.what


def with_sites(folder: Path, text: str, merchants: str = TABLE) -> World:
    own_table(folder, merchants)
    (folder / "sites.csv").write_text(text)
    spec = (folder / "w.yaml").read_text().replace("mine.csv}", "mine.csv, sites: {file: sites.csv}}")
    (folder / "w.yaml").write_text(spec)
    return World.from_file(folder / "w.yaml")


def test_own_sites_stand_where_they_are(tmp_path: Path) -> None:
    world = build_world(with_sites(tmp_path, SITES).plan, unique_keys=False)
    rows, sites = world.rows, world.sites
    longitude, latitude = positions(world.plan, sites, rows, world.geography, world.draws, 42)
    mine = np.flatnonzero(sites.merchant == 1)
    zones = [world.geography.tzids[rows.zone[row]] for row in sites.row[mine]]
    assert zones == ["America/Chicago", "America/Chicago", "America/New_York"]
    assert latitude[mine].tolist() == [41.9, 29.8, 40.7] and longitude[mine].tolist() == [-87.6, -95.4, -74.0]
    assert sites.weight[mine] == pytest.approx([0.25, 0.25, 0.5])
    assert rows.weekly[rows.merchant == 1] == pytest.approx([500, 500])
    assert (sites.merchant == 2).sum() == 1 and (sites.merchant == 0).sum() == 0  # the latter is VIRTUAL_ONLY
    assert not (sites.site_order[mine] - np.array([1, 2, 3])).any()


def test_a_world_of_own_sites_passes(tmp_path: Path) -> None:
    import seg5b

    own = with_sites(tmp_path, SITES)
    run_id = own.make(tmp_path / "runs")
    result = seg5b.run(tmp_path / "runs", run_id)
    assert [state.record["status"] for state in result.states] == ["PASS"] * 6
    kept = (tmp_path / "runs" / run_id / "reports/world_spec.yaml").read_text()
    assert (
        "file: world_spec.merchants.csv" in kept and "file: world_spec.sites.csv" in kept and str(tmp_path) not in kept
    )


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        (SITES.replace("zone,", "tzid,"), "tzid", "unknown column"),
        (SITES.replace(",latitude", ",lat"), "lat", "unknown column"),
        ("merchant_id,zone,latitude\n77,Europe/London,1\n", "longitude", "has no such column"),
        (
            SITES.replace("\n77,America/Chicago,41", "\n78,America/Chicago,41"),
            "merchant_id",
            "in row 1 is no merchant of",
        ),
        (SITES.replace("18446744073709551615", "5"), "merchant_id", "in row 4 is VIRTUAL_ONLY"),
        (SITES.replace("Europe/London", "Europe/Paris"), "zone", "in row 4 is none of America/Anchorage"),
        (SITES.replace("51.5", "151.5"), "latitude", "in row 4 is not within -90 .. 90"),
        (SITES.replace(",5\n", ",0\n"), "weight", "in row 4 is not above 0"),
        (SITES.partition("\n")[0] + "\n", "file", "has no rows"),
    ],
)
def test_a_wrong_table_of_sites_is_told_by_column_and_row(tmp_path: Path, text: str, key: str, says: str) -> None:
    with pytest.raises(WorldError) as caught:
        with_sites(tmp_path, text)
    assert caught.value.where.startswith("merchants.sites.file") and caught.value.where.endswith(key)
    assert says in caught.value.what


def test_sites_need_their_merchants(tmp_path: Path) -> None:
    own = with_sites(tmp_path, SITES)
    document = {**own.document, "merchants": {"sites": {"file": str(tmp_path / "sites.csv")}}}
    with pytest.raises(WorldError, match=r"state merchants\.file"):
        World.from_mapping(document)


def test_two_tables_must_not_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(
        WorldError, match=r"merchants.file.country: 'GB' is the country of merchant 77, which has no site"
    ):
        with_sites(tmp_path, SITES, TABLE.replace("consumer_daytime,US", "consumer_daytime,GB"))


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"merchants.file.merchant_id: .* has this column twice"):
        own_table(tmp_path, "merchant_id,merchant_id\n1,2\n")
