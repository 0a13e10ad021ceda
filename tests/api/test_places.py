"""Sites, edges and merchants join the arrivals of a run."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from seg5b.api import Run, open_run
from seg5b.errors import InputError
from seg5b.places import write_places
from seg5b.publish import Outcome
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


def test_a_missing_table_is_named(tiny_run: Path, tmp_path: Path) -> None:
    run = open_run(copy_run(tiny_run, tmp_path).path.parent)
    for file in (run.root.path / "data").rglob("*site_locations*/**/*.parquet"):
        file.unlink()
    with pytest.raises(InputError, match="site_locations is not there"):
        _ = run.sites
