"""The scripts that S4 is compared with do what they say: the same counts, in time order, all columns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.api import open_run
from seg5b.tables.formats import ARRIVAL_EVENTS
from tests.bench.conftest import BENCH

SCENARIO = "baseline_v1"


@pytest.mark.parametrize(("library", "module"), [("pandas", "numpy_pandas"), ("polars", "numpy_polars")])
def test_shares_together_are_the_counts_in_time_order(
    library: str, module: str, tiny_arrivals: Path, tmp_path: Path
) -> None:
    pytest.importorskip(library)
    run = open_run(tiny_arrivals)
    for share in ("0/2", "1/2"):
        command = [sys.executable, "-m", f"baselines.{module}", str(run.root.path), str(tmp_path)]
        done = subprocess.run(
            [*command, "--columns", "all", "--share", share], cwd=BENCH, env=os.environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    files = sorted(tmp_path.rglob("*.parquet"), key=lambda file: file.name)
    made = pa.concat_tables(pq.read_table(file, partitioning=None) for file in files)
    assert set(made.column_names) == set(ARRIVAL_EVENTS.without("lambda_realised", "tz_group_id").schema.names)
    counts = run.table("s3_bucket_counts_5B", SCENARIO)
    assert made.num_rows == sum(counts["count_N"].to_pylist())
    expected = counts.group_by("merchant_id").aggregate([("count_N", "sum")]).sort_by("merchant_id")
    found = made.group_by("merchant_id").aggregate([("ts_utc", "count")]).sort_by("merchant_id")
    assert found["ts_utc_count"].to_pylist() == [n for n in expected["count_N_sum"].to_pylist() if n]
    merchant, number, time_us = (made[name].to_numpy() for name in ("merchant_id", "arrival_seq", "ts_utc"))
    same = merchant[1:] == merchant[:-1]
    assert (np.diff(number)[same] == 1).all() and (np.diff(time_us.astype(np.int64))[same] >= 0).all()
    virtual = made["is_virtual"].to_pylist()
    assert any(virtual) and [site is None for site in made["site_id"].to_pylist()] == virtual
    assert [edge is not None for edge in made["edge_id"].to_pylist()] == virtual
