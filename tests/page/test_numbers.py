"""Numbers on the page, counted again from the files without SQL."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from seg5b.page.facts.places import gini, lorenz, top_share
from tests.page.conftest import Page, draw, visible

KEY = ["merchant_id", "zone_representation", "channel_group", "bucket_index"]
SERIES = KEY[:3]


@pytest.fixture(scope="module")
def arrivals(page: Page) -> pd.DataFrame:
    return page.table("arrival_events_5B").to_pandas()


@pytest.fixture(scope="module")
def counts(page: Page) -> pd.DataFrame:
    return page.table("s3_bucket_counts_5B").to_pandas()


def test_totals(page: Page) -> None:
    whole = [page.table("arrival_events_5B", name) for name in ("baseline_v1", "stress_peak_online_v1")]
    number = sum(table.num_rows for table in whole)
    virtual = sum(int(np.asarray(table["is_virtual"]).sum()) for table in whole)
    assert page.written.arrivals == number
    assert f" {number:,} " in visible(page.text)
    assert f" {100 * virtual / number:.2f}% " in visible(page.text)


def test_conservation(page: Page, arrivals: pd.DataFrame, counts: pd.DataFrame) -> None:
    seen = arrivals.groupby(KEY, observed=True).size()
    data = page.data("02")
    assert data["compared"] == len(seen) == int((counts["count_N"] > 0).sum())
    assert data["unequal"] == 0
    assert page.data("03") == {"residuals": [[0, len(seen)]], "counted": int(counts["count_N"].sum())}
    sizes = Counter(page.table("s1_grouping_5B")["component_count"].to_pylist())
    rows = page.data("01")
    assert rows["components"] == [[size, number] for size, number in sorted(sizes.items())]
    assert rows["rows_s3"] == len(counts) == rows["rows_s2"] == rows["expected_rows"]


def test_clocks(page: Page, arrivals: pd.DataFrame) -> None:
    assert page.data("04") == {"errors": [[0.0, len(arrivals)]], "unknown_zone": 0, "wrong": 0}
    hours = np.zeros((24, 24), int)
    for tzid, own in arrivals.groupby("tzid_primary", observed=True):
        true = own["ts_utc"].dt.tz_convert(ZoneInfo(str(tzid))).dt.hour
        np.add.at(hours, (true.to_numpy(), own["ts_local_primary"].dt.hour.to_numpy()), 1)
    assert page.data("06")["hours"] == hours.tolist()


def test_hours_and_weekends(page: Page, arrivals: pd.DataFrame) -> None:
    data = page.data("07")
    for name, own in (("physical", arrivals[~arrivals["is_virtual"]]), ("virtual", arrivals[arrivals["is_virtual"]])):
        found = own["ts_local_primary"].dt.hour.value_counts().reindex(range(24), fill_value=0)
        assert data[name] == found.tolist()
    late = arrivals["ts_local_primary"].dt.day_of_week >= 5
    shown = {name: (part, whole) for name, part, whole in page.data("08")["weekend"]}
    assert shown["all arrivals"] == (int(late.sum()), len(arrivals))
    assert shown["virtual"] == (int(late[arrivals["is_virtual"]].sum()), int(arrivals["is_virtual"].sum()))


def test_promised_weekend_and_days(page: Page, arrivals: pd.DataFrame, counts: pd.DataFrame) -> None:
    grid = page.table("s1_time_grid_5B").to_pandas().set_index("bucket_index")["bucket_start_utc"]
    start = counts["bucket_index"].map(grid)
    weekend = 0.0
    for tzid, own in start.groupby(counts["zone_representation"].astype(str)):
        late = own.dt.tz_convert(ZoneInfo(str(tzid))).dt.day_of_week >= 5
        weekend += counts.loc[own.index[late], "lambda_realised"].sum()
    part, whole = page.data("08")["weekend"][0][1:]
    assert part / 1e6 == pytest.approx(weekend, rel=1e-5)
    assert whole / 1e6 == pytest.approx(counts["lambda_realised"].sum(), rel=1e-5)
    daily = counts.groupby(start.dt.date)["lambda_realised"].sum()
    assert page.data("13")["promised"] == pytest.approx(daily.tolist(), rel=1e-4)
    assert page.data("13")["seen"] == arrivals.groupby(arrivals["ts_utc"].dt.date).size().tolist()


def test_profiles_of_demand_classes(page: Page, arrivals: pd.DataFrame, counts: pd.DataFrame) -> None:
    traits = page.table("s1_grouping_5B").to_pandas()[[*SERIES, "demand_class", "virtual_band"]]
    physical = arrivals[~arrivals["is_virtual"]].merge(traits, on=SERIES)
    physical = physical[physical["virtual_band"] == "physical"]
    grid = page.table("s1_time_grid_5B").to_pandas().set_index("bucket_index")["bucket_start_utc"]
    data = page.data("14")
    for name, own in physical.groupby("demand_class", observed=True):
        begun = own["bucket_index"].map(grid).dt.tz_localize(None)
        begun += pd.to_timedelta(own["utc_offset_min_primary"], unit="min")
        found = begun.dt.hour.value_counts().reindex(range(24), fill_value=0)
        assert data[name]["seen"] == found.tolist()
        merged = counts.merge(
            traits[(traits["demand_class"] == name) & (traits["virtual_band"] == "physical")], on=SERIES
        )
        assert sum(data[name]["promised"]) == pytest.approx(merged["lambda_realised"].sum(), rel=1e-4)


def test_concentration(page: Page, arrivals: pd.DataFrame) -> None:
    sites = arrivals.groupby(["merchant_id", "site_id"], observed=True).size().sort_values(ascending=False)
    spread = np.abs(np.subtract.outer(sites.to_numpy(), sites.to_numpy())).sum()
    slow = spread / (2 * len(sites) ** 2 * sites.mean())
    data = page.data("09")["sites"]
    assert data["places"] == len(sites)
    assert data["gini"] == pytest.approx(slow, rel=1e-5)
    zones = arrivals["tzid_primary"].astype(str).value_counts()
    assert page.data("12a")["top10_share"] == pytest.approx(zones.head(10).sum() / len(arrivals), rel=1e-5)
    assert sorted(page.data("15")["zones"]) == sorted(
        [tzid, number, int((arrivals["is_virtual"] & (arrivals["tzid_primary"] == tzid)).sum())]
        for tzid, number in zones.items()
    )


def test_merchants(page: Page, arrivals: pd.DataFrame, counts: pd.DataFrame) -> None:
    promised = counts.groupby("merchant_id", observed=True)["lambda_realised"].sum()
    promised = promised[promised > 0]
    seen = arrivals.groupby("merchant_id", observed=True).size().reindex(promised.index, fill_value=0)
    data = page.data("11")
    assert data["merchants"] == len(promised)
    assert data["correlation"] == pytest.approx(np.corrcoef(promised, seen)[0, 1], abs=1e-5)


def test_latent_factor(page: Page) -> None:
    intensity = page.table("s2_realised_intensity_5B").to_pandas()
    groups = page.table("s1_grouping_5B").to_pandas()
    data = page.data("16")
    assert data
    for group_id, told in data.items():
        one = groups[groups["group_id"] == group_id].iloc[0]
        own = intensity[np.logical_and.reduce([intensity[name] == one[name] for name in SERIES])]
        assert told["mean"] == pytest.approx(own["lambda_random_component"].mean(), rel=1e-5)
        assert told["std"] == pytest.approx(own["lambda_random_component"].std(ddof=0), rel=1e-5)


def test_scatter_of_counts(page: Page, counts: pd.DataFrame) -> None:
    classes = page.table("s1_grouping_5B").to_pandas()[[*SERIES, "demand_class"]]
    own = counts[counts["mu"] > 1e-9].merge(classes, on=SERIES)
    own["bin"] = np.floor(np.log10(own["mu"]) * 4)
    own["square"] = (own["count_N"] - own["mu"]) ** 2
    for name, told in page.data("17").items():
        bins = (
            own[own["demand_class"] == name]
            .groupby("bin")
            .agg(n=("mu", "size"), mu=("mu", "sum"), v=("square", "mean"))
        )
        bins = bins[(bins["n"] >= 30) & (bins["mu"] >= 30)]
        assert told["rows"] == bins["n"].tolist()
        assert told["variance"] == pytest.approx(bins["v"].tolist(), rel=1e-4)


def test_seconds_of_states(page: Page) -> None:
    seconds = page.data("18", "run")["seconds"]
    assert list(seconds) == ["S0", "S1", "S2", "S3", "S4"]
    assert all(value >= 0 for value in seconds.values())


def test_comparing_a_part_of_the_keys(
    page: Page, tiny_arrivals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seg5b.page.facts.scene.ARRIVALS_PER_FULL_CHECK", page.table("arrival_events_5B").num_rows // 3)
    part = draw(tiny_arrivals, tmp_path / "part.html")
    thinned, whole = part.data("02"), page.data("02")
    assert thinned["one_key_in"] == 4
    assert thinned["unequal"] == 0
    assert 0.5 < 4 * thinned["compared"] / whole["compared"] < 1.5
    assert part.data("04") == page.data("04")
    assert "one key in 4" in part.text


def test_measures_of_inequality() -> None:
    equal, alone = np.full(10, 7), np.array([9, 0, 0, 0])
    assert gini(equal) == pytest.approx(0)
    assert gini(alone) == pytest.approx(0.75)
    assert gini(np.zeros(0)) == 0
    assert lorenz(equal)[[0, 50, 100]] == pytest.approx([0, 0.5, 1])
    assert top_share(alone, 0.01) == 1
