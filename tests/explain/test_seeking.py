"""Which arrival is told: by merchant, site and time; what is said where there is none, or where a state has not run."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from seg5b.api import Run, open_run
from seg5b.errors import InputError, RunError
from seg5b.explain import Sought, explain_bucket, list_sought
from seg5b.world.plan import BASELINE
from tests.worlds import copy_run

NOBODY = 65534
LIMIT = 5


@pytest.fixture(scope="session")
def run(tiny_arrivals: Path) -> Run:
    return open_run(tiny_arrivals)


@pytest.fixture(scope="session")
def published(run: Run) -> list[dict[str, Any]]:
    names = ["merchant_id", "arrival_seq", "site_id", "ts_utc", "zone_representation", "bucket_index", "channel_group"]
    return cast(list[dict[str, Any]], run.table("arrival_events_5B", BASELINE, names).to_pylist())


def keys(rows: Iterable[dict[str, Any]]) -> list[tuple[int, int]]:
    ordered = sorted(rows, key=lambda row: (row["ts_utc"], row["merchant_id"], row["arrival_seq"]))
    return [(row["merchant_id"], row["arrival_seq"]) for row in ordered]


def test_what_fits_is_what_a_filter_finds(run: Run, published: list[dict[str, Any]]) -> None:
    one = [row for row in published if row["site_id"]][5000]
    start, end = datetime(2026, 3, 8, 22, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC)
    within = [row for row in published if start <= row["ts_utc"] < end]
    at_site = [row for row in published if row["site_id"] == one["site_id"]]
    since, until = "2026-03-09T00:00:00+02:00", "2026-03-15"
    for sought, rows in (
        (Sought(site_id=one["site_id"]), at_site),
        (Sought(start=since, end=until), within),
        (
            Sought(one["merchant_id"], start=since, end=until),
            [row for row in within if row["merchant_id"] == one["merchant_id"]],
        ),
        (Sought(start=one["ts_utc"]), [row for row in published if row["ts_utc"] >= one["ts_utc"]]),
    ):
        found, total = list_sought(run.root, run.contracts, sought, LIMIT)
        assert [(each.merchant_id, each.arrival_seq) for each in found] == keys(rows)[:LIMIT]
        assert total == len(rows) > LIMIT
    first = run.explain(site=one["site_id"])
    assert (first.merchant_id, first.arrival_seq) == keys(at_site)[0]
    assert first.holds and first.matches == len(at_site)
    assert run.explain(start=one["ts_utc"], scenario_id=BASELINE).holds


def test_what_is_unknown_is_told_beside_what_is_known(run: Run, published: list[dict[str, Any]]) -> None:
    merchant, number = (published[0][name] for name in ("merchant_id", "arrival_seq"))
    site = next(row["site_id"] for row in published if row["site_id"])
    total = sum(row["merchant_id"] == merchant for row in published)
    for wanted, words in (
        ({"merchant": merchant + 1, "arrival_seq": 1}, rf"no merchant {merchant + 1} .*it has 16; the nearest ids are {merchant}"),
        ({"merchant": merchant + 1, "start": "2026-03-09"}, f"no merchant {merchant + 1} .*the nearest ids are {merchant}"),
        ({"site": site + 1}, f"the run has no site {site + 1} .*the nearest ids are {site}"),
        ({"site": site, "start": "2031-01-01"}, r"no arrival of baseline_v1 fits: site \d+, from 2031-01-01 .*lie from 2026-03-02"),
        ({"merchant": merchant, "arrival_seq": total + 1}, rf"has no arrival {total + 1} .*its arrivals there are 1 to {total}"),
        ({"start": "yesterday"}, "SELECTION_INVALID.*'yesterday' is no moment"),
        ({"arrival_seq": number}, "SELECTION_INVALID.*needs no more"),
    ):  # fmt: skip
        with pytest.raises(RunError, match=words):
            run.explain(**wanted)
    with pytest.raises(RunError, match=rf"no merchant {merchant + 1}"):
        explain_bucket(run.root, run.contracts, merchant + 1, "Europe/Rome", 1)


@pytest.mark.parametrize(
    ("dataset", "state"),
    [
        ("s1_grouping_5B", "S1"),
        ("s2_realised_intensity_5B", "S2"),
        ("s3_bucket_counts_5B", "S3"),
        ("arrival_events_5B", "S4"),
    ],
)
def test_a_state_that_has_not_run_is_named(run: Run, tmp_path: Path, dataset: str, state: str) -> None:
    copy = open_run(copy_run(run.root.path.parent, tmp_path).path.parent)
    place = copy.path(dataset, BASELINE)
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    with pytest.raises(
        RunError, match=rf"5B\.EXPLAIN\.NOT_REALISED: state {state} has not run .*seg5b run --to S4"
    ) as told:
        copy.explain(1, 1)
    assert "Catalog" not in str(told.value) and copy.identity.run_id in told.value.remedy


def test_a_bucket_needs_no_arrivals_and_damage_is_typed(
    run: Run, published: list[dict[str, Any]], tmp_path: Path
) -> None:
    copy = open_run(copy_run(run.root.path.parent, tmp_path).path.parent)
    series = [published[3][name] for name in ("merchant_id", "zone_representation", "bucket_index", "channel_group")]
    place = copy.path("arrival_events_5B", BASELINE)
    shutil.rmtree(place)
    found = explain_bucket(copy.root, copy.contracts, *series)
    assert found.holds and re.match(r"Bucket \d+ of merchant", found.text())
    grouping = copy.path("s1_grouping_5B", BASELINE)
    content = bytearray(grouping.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    grouping.write_bytes(content)
    with pytest.raises(InputError, match=r"5B\.(QUERY\.FAILED|EXPLAIN\.UNREADABLE)"):
        explain_bucket(copy.root, copy.contracts, *series)


def test_whoever_may_only_read_the_run_is_told(run: Run, published: list[dict[str, Any]], tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root takes on another user's rights")
    root = copy_run(run.root.path.parent, tmp_path / "runs")
    for path in [root.path, *root.path.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222 | (0o055 if path.is_dir() else 0o044))
    opened = open_run(root.path.parent)
    merchant, number = (published[7][name] for name in ("merchant_id", "arrival_seq"))
    expected = run.explain(merchant, number).text()  # loads what it takes, where the other may read it
    before = sorted(root.path.rglob("*"))
    reachable = [path for path in root.path.parents if path.stat().st_uid == 0]
    modes = {path: path.stat().st_mode for path in reachable}
    try:
        for path in reachable:
            path.chmod(modes[path] | 0o011)
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        with pytest.raises(PermissionError):
            (root.path / "mine").mkdir()
        found = opened.explain(merchant, number)
    finally:
        os.seteuid(0)
        os.setegid(0)
        for path in reachable:
            path.chmod(modes[path])
    assert found.holds and found.text() == expected
    assert sorted(root.path.rglob("*")) == before
