"""Sites, edges and merchants join the arrivals of a run."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import yaml

from seg5b.api import Run, open_run
from seg5b.errors import InputError
from seg5b.places import write_places
from seg5b.publish import Outcome
from seg5b.runs.root import WORLD_SPECIFICATION
from seg5b.world.presets import BASELINE
from tests.worlds import copy_run


@pytest.fixture(scope="module")
def run(tiny_run: Path) -> Run:
    return open_run(tiny_run)


def counted(query: str, **tables: pa.Table) -> tuple[int, ...]:
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        (found,) = connection.sql(query).fetchall()
        return tuple(found)


def test_every_arrival_has_its_place(run: Run) -> None:
    arrivals = run.table("arrival_events_5B", BASELINE)
    found = counted(
        """SELECT count(*), count(s.site_id), count(e.edge_id), count(m.merchant_id),
                  count(*) FILTER (a.tzid_primary = s.tzid), count(*) FILTER (a.tzid_operational = e.tzid)
           FROM arrivals a LEFT JOIN sites s ON a.site_id = s.site_id AND a.merchant_id = s.merchant_id
           LEFT JOIN edges e ON a.edge_id = e.edge_id AND a.merchant_id = e.merchant_id
           LEFT JOIN merchants m ON a.merchant_id = m.merchant_id""",
        arrivals=arrivals,
        sites=run.sites,
        edges=run.edges,
        merchants=run.merchants,
    )
    rows, sites, edges, merchants, zones, edge_zones = found
    assert rows == merchants == arrivals.num_rows and sites + edges == rows
    assert zones == sites > 0 and edge_zones == edges > 0


def test_numbers_are_what_they_should_be(run: Run) -> None:
    sites, edges, merchants = (table.to_pylist() for table in (run.sites, run.edges, run.merchants))
    assert [site["site_id"] for site in sites] == sorted({site["site_id"] for site in sites})
    assert all(-90 <= place["latitude_deg"] <= 90 and -180 <= place["longitude_deg"] <= 180 for place in sites + edges)
    assert all(int(edge["edge_hex"], 16) == edge["edge_id"] for edge in edges)
    assert len(merchants) == 16 and all(merchant["weekly_volume_expected"] > 0 for merchant in merchants)
    assert {merchant["virtual_mode"] for merchant in merchants} <= {"NON_VIRTUAL", "HYBRID", "VIRTUAL_ONLY"}


def test_they_are_written_beside_the_data(tiny_run: Path, tmp_path: Path) -> None:
    run = open_run(copy_run(tiny_run, tmp_path).path.parent)
    assert write_places(run.root, run.contracts) is Outcome.WRITTEN
    assert write_places(run.root, run.contracts) is Outcome.UNCHANGED
    with duckdb.connect() as connection:
        sites = connection.sql(f"FROM read_parquet('{run.root.path}/places/sites.parquet')").to_arrow_table()
    assert sites.num_rows == run.sites.num_rows and sites.column_names == run.sites.column_names


def test_the_view_joins_every_arrival(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(copy_run(tiny_run, tmp_path).path.parent)
    write_places(run.root, run.contracts)
    monkeypatch.chdir(run.root.path)
    with duckdb.connect() as connection:
        connection.execute(Path("places/arrivals.sql").read_text("utf-8"))
        (found,) = connection.sql(
            """SELECT count(*), count(country), count(latitude_deg), count(city), count(demand_class),
                      count(*) FILTER (NOT is_virtual), count(DISTINCT scenario_id) FROM arrivals"""
        ).fetchall()
    rows, countries, degrees, cities, classes, physical, scenarios = found
    totals = [run.table("arrival_events_5B", name).num_rows for name in (BASELINE, "stress_peak_online_v1")]
    assert rows == sum(totals) == countries == degrees == classes and cities == physical < rows and scenarios == 2


def test_a_site_is_of_the_nearest_stated_city_or_of_its_zone(tiny_run: Path, tmp_path: Path) -> None:
    run = open_run(copy_run(tiny_run, tmp_path).path.parent)
    before = run.sites.to_pylist()
    assert all(site["city"] == site["tzid"].rpartition("/")[2].replace("_", " ") for site in before)
    one, other = next(site for site in before if "/" in site["tzid"]), (0.0, 0.0)
    cities = [("Near", one["latitude_deg"] + 0.01, one["longitude_deg"]), ("Far", *other)]
    stated = [{"name": name, "zone": one["tzid"], "latitude": north, "longitude": east} for name, north, east in cities]
    place = run.root.path / WORLD_SPECIFICATION
    place.parent.mkdir(exist_ok=True)
    place.write_text(yaml.safe_dump({"places": {"cities": stated}}), "utf-8")
    after = {site["site_id"]: site["city"] for site in run.sites.to_pylist()}
    assert after[one["site_id"]] == "Near"
    assert all(after[site["site_id"]] == site["city"] for site in before if site["tzid"] != one["tzid"])
    place.write_text("places: [", "utf-8")
    assert run.sites.to_pylist() == before


def test_a_missing_table_is_named(tiny_run: Path, tmp_path: Path) -> None:
    run = open_run(copy_run(tiny_run, tmp_path).path.parent)
    for file in (run.root.path / "data").rglob("*site_locations*/**/*.parquet"):
        file.unlink()
    with pytest.raises(InputError, match="site_locations is not there"):
        _ = run.sites
