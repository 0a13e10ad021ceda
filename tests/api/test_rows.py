"""`Run.arrivals` and `Run.rows`: what is asked for is what comes, ids and instants whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seg5b.api import Run, open_run
from seg5b.errors import InputError, RunError
from seg5b.world.presets import BASELINE, STRESS
from tests.worlds import copy_run


@pytest.fixture(scope="module")
def run(tiny_run: Path) -> Run:
    return open_run(tiny_run)


@pytest.fixture(scope="module")
def whole(run: Run) -> pd.DataFrame:
    """Every arrival of the first scenario, ids as Arrow has them."""
    return run.table("arrival_events_5B", BASELINE).to_pandas(types_mapper=pd.ArrowDtype)


def test_all_of_a_scenario_and_of_all(run: Run, whole: pd.DataFrame) -> None:
    assert run.scenarios == (BASELINE, STRESS)
    other = run.table("arrival_events_5B", STRESS).num_rows
    assert len(run.arrivals(BASELINE)) == len(whole) and len(run.arrivals()) == len(whole) + other
    found = run.arrivals().relation.aggregate("scenario_id, count(*)").order("scenario_id").fetchall()
    assert found == [(BASELINE, len(whole)), (STRESS, other)]


def test_ids_and_clocks_are_whole_in_pandas(run: Run, whole: pd.DataFrame) -> None:
    found = run.arrivals(BASELINE).to_pandas()
    for name in ("merchant_id", "site_id", "edge_id"):
        assert str(found[name].dtype) == "UInt64"
        assert found[name].dropna().tolist() == whole[name].dropna().tolist(), name
        assert (found[name].isna().to_numpy() == whole[name].isna().to_numpy()).all()
    assert found.ts_utc.dtype.tz is not None and found.ts_utc.dtype.unit == "us"
    assert (found.ts_local_primary.to_numpy() == whole.ts_local_primary.to_numpy("datetime64[us]")).all()


def test_merchants_and_moments(run: Run, whole: pd.DataFrame) -> None:
    merchants = np.array(whole.merchant_id.tolist(), np.uint64)
    largest = int(merchants.max())
    assert largest > 2**63, "an id that signed readers get wrong"
    moments = pd.DatetimeIndex(whole.ts_utc)
    middle = moments.sort_values()[len(whole) // 2].to_pydatetime()
    for start, end in ((middle, None), (None, middle), (middle, middle + timedelta(days=2))):
        inside = np.ones(len(whole), bool)
        inside &= moments >= start if start else True
        inside &= moments < end if end else True
        mine = inside & (merchants == largest)
        assert len(run.arrivals(BASELINE, start=start, end=end)) == inside.sum() > 0
        found = run.arrivals(BASELINE, merchant=[largest], start=start, end=end, columns=["arrival_seq"])
        assert found.columns == ["arrival_seq"]
        assert found.to_arrow()["arrival_seq"].to_pylist() == whole.arrival_seq[mine].tolist()
    numpy_id: Any = merchants.max()
    assert len(run.arrivals(BASELINE, merchant=numpy_id)) == (merchants == largest).sum()


def test_writings_of_one_moment(run: Run) -> None:
    day = datetime(2026, 3, 10, tzinfo=UTC)
    writings = (day, date(2026, 3, 10), "2026-03-10", "2026-03-10T00:00:00Z", "2026-03-10T02:00:00+02:00")
    assert len({len(run.arrivals(BASELINE, start=start)) for start in writings}) == 1
    assert 0 < len(run.arrivals(BASELINE, start=day)) < len(run.arrivals(BASELINE))


def test_any_dataset_by_its_short_name(run: Run) -> None:
    counts = run.rows("s3_bucket_counts", BASELINE, columns=["count_N"])
    assert sum(counts.to_arrow()["count_N"].to_pylist()) == len(run.arrivals(BASELINE))
    assert {each.dataset_id for each in run.datasets} >= {"s1_time_grid_5B", "arrival_events_5B"}
    facts = next(each for each in run.datasets if (each.dataset_id, each.scenario_id) == ("arrival_events_5B", STRESS))
    assert facts.rows == len(run.arrivals(STRESS)) and facts.state == "S4"
    assert facts.bytes == sum(file.stat().st_size for file in facts.path.rglob("*.parquet"))


WRONG: list[tuple[Callable[[Run], Any], str, str]] = [
    (lambda run: run.rows("arrivals"), "DATASET_UNKNOWN", "arrival_events_5B"),
    (lambda run: run.rows("validation_report_5B"), "DATASET_UNKNOWN", "is no table"),
    (lambda run: run.arrivals("nope"), "SCENARIO_UNKNOWN", BASELINE),
    (lambda run: run.arrivals(columns=["ts"]), "COLUMN_UNKNOWN", "ts_utc"),
    (lambda run: run.arrivals(merchant=-1), "SELECTION_INVALID", "64-bit"),
    (lambda run: run.arrivals(merchant=[]), "SELECTION_INVALID", "64-bit"),
    (lambda run: run.arrivals(start="yesterday"), "SELECTION_INVALID", "yesterday"),
]


@pytest.mark.parametrize(("ask", "code", "says"), WRONG)
def test_what_is_not_there_is_listed(run: Run, ask: Callable[[Run], Any], code: str, says: str) -> None:
    with pytest.raises(RunError) as caught:
        ask(run)
    assert caught.value.code == f"5B.RUN.{code}" and says in str(caught.value)


def test_what_is_not_yet_published(tiny_world: Path) -> None:
    with pytest.raises(RunError, match=r"5B\.RUN\.DATASET_MISSING: .* seg5b run --to S4"):
        open_run(tiny_world).arrivals()


def test_a_damaged_file_is_a_typed_error(tiny_arrivals: Path, tmp_path: Path) -> None:
    run = open_run(copy_run(tiny_arrivals, tmp_path).path.parent)
    part = next(run.path("arrival_events_5B", BASELINE).rglob("*.parquet"))
    content = bytearray(part.read_bytes())
    content[100 : len(content) // 2] = bytes(len(content) // 2 - 100)  # the footer stays
    part.write_bytes(content)
    with pytest.raises(InputError, match=r"5B\.QUERY\.FAILED"):
        run.arrivals(BASELINE).to_arrow()


def test_short_to_look_at(run: Run, whole: pd.DataFrame) -> None:
    rows = run.arrivals(BASELINE, columns=["merchant_id", "ts_utc"])
    assert repr(rows) == f"Rows({len(whole):,} rows, columns merchant_id, ts_utc)"
    assert rows._repr_html_().count("<tr>") == 11 and len(repr(run)) < 200


def test_the_rest_of_the_interface(run: Run, tmp_path: Path) -> None:
    merchant = int(run.merchants["merchant_id"][0].as_py())
    assert run.explain(merchant, 1).holds
    assert not run.verify().problems and not run.replay(1, backend="cpu").problems
    assert run.report(tmp_path / "page.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert {gate.gate_id for gate in run.score().gates} >= {"T1", "T15"}
