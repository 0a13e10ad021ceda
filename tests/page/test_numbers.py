"""Numbers on the page, counted again from the files without SQL."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from seg5b.contracts import ContractSource
from seg5b.page.facts.places import gini, lorenz, top_share
from seg5b.page.facts.scatter_of_days import _by_size
from seg5b.pipeline import run_states
from seg5b.public_tables import card_payments
from seg5b.tzdb import open_tzdb
from seg5b.world.geography import country_of_every_zone
from seg5b.world.public_hours import shapes_by_class
from tests.conftest import TO_ARRIVALS
from tests.page.conftest import Page, draw, visible
from tests.policies import TWO_LEVELS
from tests.worlds import SMALLEST

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
    assert page.written.arrivals == number
    assert f" {number:,} arrivals in 2 scenarios " in visible(page.text)
    own = whole[0]
    assert f" {100 * int(np.asarray(own['is_virtual']).sum()) / own.num_rows:.2f}% " in visible(page.text)


def test_conservation(page: Page, arrivals: pd.DataFrame, counts: pd.DataFrame) -> None:
    seen = arrivals.groupby(KEY, observed=True).size()
    laws = page.laws()
    assert int((counts["count_N"] > 0).sum()) == len(seen)
    assert laws["keys that hold anything, compared"][0] == f"{len(seen):,}"
    assert laws["of these, keys whose arrivals in S4 are not S3's count"][0] == "0"
    rows = f"{len(counts):,} of {len(counts):,}"
    assert laws["rows of S3"][0] == laws["rows of S2, series × buckets wanted"][0] == rows


def test_clocks(page: Page, arrivals: pd.DataFrame) -> None:
    for tzid, own in arrivals.groupby("tzid_primary", observed=True):
        true = own["ts_utc"].dt.tz_convert(ZoneInfo(str(tzid))).dt.tz_localize(None)
        assert (true == own["ts_local_primary"]).all()
    days = arrivals.groupby([arrivals["tzid_primary"].astype(str), arrivals["ts_utc"].dt.strftime("%Y-%m-%d")]).size()
    rows = page.rows("clocks-by-zone")
    assert rows and all(days[row["zone"], row["day"]] == row["arrivals"] for row in rows if row["arrivals"])
    assert {row["wrong"] for row in rows} == {0}


def test_hours_and_weekends(page: Page, arrivals: pd.DataFrame) -> None:
    for name, own in (("physical", arrivals[~arrivals["is_virtual"]]), ("virtual", arrivals[arrivals["is_virtual"]])):
        found = own["ts_local_primary"].dt.hour.value_counts().reindex(range(24), fill_value=0)
        assert [row["arrivals"] for row in page.rows("local-hours") if row["route"] == name] == found.tolist()
    late = arrivals["ts_local_primary"].dt.day_of_week >= 5
    shown = {row["kind"]: (row["share"], row["amount"]) for row in page.rows("weekend")}
    assert shown["all arrivals"] == (pytest.approx(late.mean(), rel=1e-5), len(arrivals))
    assert shown["virtual"] == (
        pytest.approx(late[arrivals["is_virtual"]].mean(), rel=1e-5),
        int(arrivals["is_virtual"].sum()),
    )


def test_beside_public_figures(page: Page, arrivals: pd.DataFrame) -> None:
    grouping = page.table("s1_grouping_5B").to_pandas()
    classes = grouping.set_index(SERIES)["demand_class"].to_dict()
    keys = arrivals[SERIES].itertuples(index=False, name=None)
    of_class = pd.Series([classes[key] for key in keys], index=arrivals.index)
    grid = page.table("s1_time_grid_5B").to_pandas().set_index("bucket_index")["bucket_start_utc"]
    begun = arrivals["bucket_index"].map(grid).dt.tz_localize(None)
    begun += pd.to_timedelta(arrivals["utc_offset_min_primary"], unit="min")
    for anchor, column, part in (
        ("public-hours", "hour", begun.dt.hour),
        ("public-days", "weekday", begun.dt.strftime("%a")),
    ):
        found, rows = arrivals.groupby([of_class, part]).size(), page.rows(anchor)
        assert {row["demand_class"] for row in rows} == set(of_class)
        assert all(found.get((row["demand_class"], row[column]), 0) == row["arrivals"] for row in rows)
        for name in set(of_class):
            mine = [row for row in rows if row["demand_class"] == name]
            table = shapes_by_class()[name].hours if column == "hour" else shapes_by_class()[name].days
            assert [row["public"] for row in mine] == pytest.approx([each / sum(table) for each in table], rel=1e-5)
            assert sum(row["share"] for row in mine) == pytest.approx(1, rel=1e-4)
    homes = country_of_every_zone(open_tzdb())
    country = arrivals["tzid_primary"].astype(str).map(homes)
    found = country[country.isin(card_payments())].value_counts()
    rows = page.rows("public-countries")
    assert {row["country"]: row["arrivals"] for row in rows} == found.to_dict()
    whole = sum(card_payments()[name] for name in found.index)
    assert all(row["public"] == pytest.approx(card_payments()[row["country"]] / whole, rel=1e-5) for row in rows)


def test_scatter_of_days(page: Page, arrivals: pd.DataFrame) -> None:
    day = (arrivals["ts_utc"].dt.tz_localize(None) - pd.Timestamp("2026-03-02")).dt.days
    days = (
        arrivals.groupby([*SERIES, day], observed=True)
        .size()
        .unstack(fill_value=0)
        .reindex(columns=range(28), fill_value=0)
    )
    found: dict[float, list[float]] = {}
    for counts in days.to_numpy(np.float64):
        if counts.mean() >= 2:
            frame = pd.DataFrame({"weekday": np.arange(28) % 7, "n": counts})
            left = frame["n"] - frame.groupby("weekday")["n"].transform("mean")
            size = 2.0 ** np.floor(np.log2(counts.mean()))
            found.setdefault(size, []).append(float((left**2).sum() / 21 / counts.mean() ** 2))
    rows = page.rows("scatter-of-days")
    assert [row["series"] for row in rows] == [len(found[size]) for size in sorted(found)] and len(rows) > 2
    assert [row["variation"] for row in rows] == pytest.approx(
        [np.mean(found[size]) for size in sorted(found)], rel=1e-4
    )
    assert all(row["public"] == pytest.approx(0.006 + 2 / row["mean"], rel=1e-4) for row in rows)


def test_a_short_horizon_has_no_scatter_of_days() -> None:
    assert not _by_size(np.zeros((0, 3, 7)))
    (even,) = _by_size(np.full((5, 3, 7), 4.0))
    assert (even.low, even.high, even.series, even.mean, even.variation) == (4.0, 8.0, 5, 4.0, 0.0)


def test_channels_and_hours_of_the_week(page: Page, arrivals: pd.DataFrame) -> None:
    kinds = arrivals["channel_group"].astype(str) + arrivals["is_virtual"].map({True: ", virtual", False: ", physical"})
    assert {row["channel"]: row["arrivals"] for row in page.rows("channels")} == kinds.value_counts().to_dict()
    grid = page.table("s1_time_grid_5B").to_pandas().set_index("bucket_index")["bucket_start_utc"]
    begun = arrivals["bucket_index"].map(grid).dt.tz_localize(None)
    begun += pd.to_timedelta(arrivals["utc_offset_min_primary"], unit="min")
    keys = [arrivals["channel_group"].astype(str), begun.dt.strftime("%a"), begun.dt.hour]
    found = arrivals.groupby(keys).size()
    rows = page.rows("week-by-hour")
    assert len(rows) == 7 * 24 * arrivals["channel_group"].nunique()
    assert all(found.get((row["channel"], row["weekday"], row["hour"]), 0) == row["arrivals"] for row in rows)


def test_gaps_and_bursts(page: Page, arrivals: pd.DataFrame) -> None:
    """Merchants by size, gaps by class of length, and the chance of a neighbour if arrivals were placed at random."""
    days = page.table("s1_time_grid_5B").num_rows / 24
    sizes = pd.cut(
        arrivals.groupby("merchant_id", observed=True).size() / days,
        [0, 1, 10, 100, np.inf],
        right=False,
        labels=["below 1 a day", "1 to 10 a day", "10 to 100 a day", "100 a day and more"],
    )
    ordered = arrivals.sort_values(["merchant_id", "ts_utc"])
    gap = ordered.groupby("merchant_id", observed=True)["ts_utc"].diff().dt.total_seconds()
    size = ordered["merchant_id"].map(sizes)
    in_bucket = ordered.groupby(["merchant_id", "bucket_index"], observed=True)["ts_utc"].transform("size")
    for row in page.rows("bursts"):
        own, window = size == row["size"], {"1 s": 1, "10 s": 10, "1 min": 60}[row["within"]]
        near = int((gap[own] <= window).sum())
        placed = (1 - (1 - window / 3600) ** (in_bucket[own] - 1)).mean()
        wanted = near / own.sum() if row["kind"] == "arrivals" else placed
        assert row["arrivals_within"] == near
        assert row["share"] == (pytest.approx(wanted, rel=1e-4) if wanted else None)
    classes = (np.floor(np.log10(gap.dropna().clip(lower=1e-3)) * 4) + 0.5) / 4
    found = gap.dropna().groupby([size[gap.notna()].astype(str), (10**classes).map(lambda s: float(f"{s:.4g}"))]).size()
    rows = page.rows("inter-arrival")
    assert sum(row["gaps"] for row in rows) == gap.notna().sum()
    assert all(found.get((row["size"], row["seconds"]), 0) == row["gaps"] for row in rows)


def test_promised_weekend_and_days(page: Page, arrivals: pd.DataFrame, counts: pd.DataFrame) -> None:
    grid = page.table("s1_time_grid_5B").to_pandas().set_index("bucket_index")["bucket_start_utc"]
    start = counts["bucket_index"].map(grid)
    weekend = 0.0
    for tzid, own in start.groupby(counts["zone_representation"].astype(str)):
        late = own.dt.tz_convert(ZoneInfo(str(tzid))).dt.day_of_week >= 5
        weekend += counts.loc[own.index[late], "lambda_realised"].sum()
    expected = next(row for row in page.rows("weekend") if row["kind"] == "expected by S2")
    assert expected["share"] == pytest.approx(weekend / counts["lambda_realised"].sum(), rel=1e-5)
    assert expected["amount"] == pytest.approx(counts["lambda_realised"].sum(), rel=1e-5)
    daily = counts.groupby(start.dt.date)["lambda_realised"].sum()
    law = (counts["mu"] + (counts["mu"] ** 2 / counts["kappa"]).fillna(0)).groupby(start.dt.date).sum()
    rows = page.rows("arrivals-by-day")
    assert [row["expected"] for row in rows] == pytest.approx(daily.tolist(), rel=1e-4)
    assert [(row["high"] - row["expected"]) / 2 for row in rows] == pytest.approx(np.sqrt(law).tolist(), rel=1e-3)
    assert [row["arrivals"] for row in rows] == arrivals.groupby(arrivals["ts_utc"].dt.date).size().tolist()


def test_profiles_of_demand_classes(page: Page, arrivals: pd.DataFrame, counts: pd.DataFrame) -> None:
    traits = page.table("s1_grouping_5B").to_pandas()[[*SERIES, "demand_class", "virtual_band"]]
    physical = arrivals[~arrivals["is_virtual"]].merge(traits, on=SERIES)
    physical = physical[physical["virtual_band"] == "physical"]
    grid = page.table("s1_time_grid_5B").to_pandas().set_index("bucket_index")["bucket_start_utc"]
    rows = page.rows("daily-profiles")
    for name, own in physical.groupby("demand_class", observed=True):
        begun = own["bucket_index"].map(grid).dt.tz_localize(None)
        begun += pd.to_timedelta(own["utc_offset_min_primary"], unit="min")
        found = begun.dt.hour.value_counts().reindex(range(24), fill_value=0)
        told = [row for row in rows if row["demand_class"] == name]
        assert [row["arrivals"] for row in told] == found.tolist()
        assert sum(row["expected"] for row in told) == pytest.approx(1, abs=1e-4)
        assert all(row["low"] <= row["expected"] <= row["high"] for row in told)


def test_concentration(page: Page, arrivals: pd.DataFrame) -> None:
    sites = arrivals.groupby(["merchant_id", "site_id"], observed=True).size().sort_values(ascending=False)
    spread = np.abs(np.subtract.outer(sites.to_numpy(), sites.to_numpy())).sum()
    slow = spread / (2 * len(sites) ** 2 * sites.mean())
    told = [row for row in page.rows("lorenz") if row["kind"] == "sites"]
    assert {row["number_of_places"] for row in told} == {len(sites)}
    assert told[0]["gini"] == pytest.approx(slow, rel=1e-5)
    zones = arrivals["tzid_primary"].astype(str).value_counts()
    assert f"{100 * zones.head(10).sum() / len(arrivals):.1f}%" in page.titles()["largest-zones"]
    assert sorted((row["zone"], row["arrivals"], row["virtual"]) for row in page.rows("map")) == sorted(
        (tzid, number, int((arrivals["is_virtual"] & (arrivals["tzid_primary"] == tzid)).sum()))
        for tzid, number in zones.items()
    )
    (largest,) = [row for row in page.rows("largest-zones") if row["zone"] == zones.index[0]]
    assert largest["arrivals"] == zones.iloc[0]


def test_countries_are_those_of_zones(page: Page) -> None:
    """London's arrivals are the United Kingdom's, and circles stand where cities are."""
    (london,) = [row for row in page.rows("map") if row["zone"] == "Europe/London"]
    assert (london["north"], london["east"]) == (pytest.approx(51.5, abs=0.1), pytest.approx(-0.1, abs=0.1))
    countries = {row["country"]: row["arrivals"] for row in page.rows("largest-countries")}
    assert countries["Britain (UK)"] >= london["arrivals"]


def test_merchants(page: Page, arrivals: pd.DataFrame, counts: pd.DataFrame) -> None:
    promised = counts.groupby("merchant_id", observed=True)["lambda_realised"].sum()
    promised = promised[promised > 0]
    seen = arrivals.groupby("merchant_id", observed=True).size().reindex(promised.index, fill_value=0)
    assert f"r = {np.corrcoef(promised, seen)[0, 1]:.4f}" in page.titles()["merchants"]
    assert sorted(row["arrivals"] for row in page.rows("merchants")) == sorted(seen[seen > 0])


def test_latent_factor(page: Page) -> None:
    intensity = page.table("s2_realised_intensity_5B").to_pandas()
    groups = page.table("s1_grouping_5B").to_pandas()
    told = {row["group_id"]: row for row in page.rows("latent-factor")}
    assert told
    for group_id, row in told.items():
        one = groups[groups["group_id"] == group_id].iloc[0]
        own = intensity[np.logical_and.reduce([intensity[name] == one[name] for name in SERIES])]
        assert row["mean"] == pytest.approx(own["lambda_random_component"].mean(), rel=1e-5)
        assert row["std"] == pytest.approx(own["lambda_random_component"].std(ddof=0), rel=1e-5)
    busy = intensity.groupby(SERIES, observed=True)["lambda_realised"].transform("max") > 0
    means = (
        intensity[busy]
        .merge(groups[[*SERIES, "group_id"]], on=SERIES)
        .groupby("group_id")["lambda_random_component"]
        .mean()
    )
    assert (
        f"averages {means.mean():.3f} ± {2 * means.std() / np.sqrt(len(means)):.3f}" in page.titles()["latent-factor"]
    )


def test_own_paths_are_not_told_as_shared(tmp_path: Path) -> None:
    root = SMALLEST.make(tmp_path, TWO_LEVELS)
    run_states(root, ContractSource.packaged(), TO_ARRIVALS)
    page = draw(root.path.parent)
    rows = page.rows("latent-factor")
    assert {row["members"] for row in rows} == {1}
    grouping = page.table("s1_grouping_5B").to_pandas()
    assert any((grouping["group_id"] == row["group_id"]).sum() > 1 for row in rows), (
        "some shown group must have several series"
    )
    title = page.titles()["latent-factor"]
    assert "over one series of each of" in title and "±" not in title


def test_scatter_of_counts(page: Page, counts: pd.DataFrame) -> None:
    classes = page.table("s1_grouping_5B").to_pandas()[[*SERIES, "demand_class"]]
    own = counts[counts["mu"] > 1e-9].merge(classes, on=SERIES)
    own["bin"] = np.floor(np.log10(own["mu"]) * 4)
    own["square"] = (own["count_N"] - own["mu"]) ** 2
    rows = page.rows("scatter-of-counts")
    for name in {row["demand_class"] for row in rows}:
        told = [row for row in rows if row["demand_class"] == name]
        bins = (
            own[own["demand_class"] == name]
            .groupby("bin")
            .agg(n=("mu", "size"), mu=("mu", "sum"), v=("square", "mean"))
        )
        bins = bins[(bins["n"] >= 30) & (bins["mu"] >= 30)]
        assert [row["keys"] for row in told] == bins["n"].tolist()
        assert [row["observed"] for row in told] == pytest.approx(
            (bins["v"] / (bins["mu"] / bins["n"])).tolist(), rel=1e-4
        )


def test_seconds_of_states(page: Page) -> None:
    rows = page.figure("seconds")["rows"]
    assert [state for state, *_ in rows] == ["S0", "S1", "S2", "S3", "S4"]
    assert all(seconds >= 0 for *_, seconds in rows)


def test_comparing_a_part_of_the_keys(
    page: Page, tiny_arrivals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seg5b.page.facts.scene.ARRIVALS_PER_FULL_CHECK", page.table("arrival_events_5B").num_rows // 3)
    part = draw(tiny_arrivals, tmp_path / "part.html")
    name = "keys that hold anything, compared"
    thinned, whole = (int(one.laws()[name][0].replace(",", "")) for one in (part, page))
    assert 0.5 < 4 * thinned / whole < 1.5
    assert {line[-1] for line in part.laws().values()} == {"✓"}
    assert part.rows("clocks-by-zone") == page.rows("clocks-by-zone")
    assert "One key in 4" in part.text


def test_some_merchants_stand_for_all_in_large_runs(
    tiny_arrivals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seg5b.page.facts.gaps.MOST_ARRIVALS", 1)
    few = draw(tiny_arrivals, tmp_path / "few.html")
    assert "of 1 merchant." in visible(few.text)


def test_measures_of_inequality() -> None:
    equal, alone = np.full(10, 7), np.array([9, 0, 0, 0])
    assert gini(equal) == pytest.approx(0)
    assert gini(alone) == pytest.approx(0.75)
    assert gini(np.zeros(0)) == 0
    assert lorenz(equal)[[0, 50, 100]] == pytest.approx([0, 0.5, 1])
    assert top_share(alone, 0.01) == 1
