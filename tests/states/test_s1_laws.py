"""S1's laws one by one: horizons, group hashes, series, contested classes (law L3)."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from seg5b.api import Run
from seg5b.errors import DomainError
from seg5b.gate import Scenario
from seg5b.policy import TimeGridPolicy
from seg5b.states.s1_grid import bucket_count, in_stratum_bucket, zone_group_id

POLICY = TimeGridPolicy(3600, ("scenario_is_baseline", "scenario_is_stress"), (), True, (6, 7), 28, 120, 5000)


def _micros(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


def _scenario(start: str, end: str, *, baseline: bool = True, stress: bool = False) -> Scenario:
    return Scenario("baseline_v1", _micros(start), _micros(end), baseline, stress, ())


def test_buckets_of_the_reference_horizon() -> None:
    assert bucket_count(_scenario("2026-01-01", "2026-04-01"), POLICY, "X.S1.Y") == 2160


@pytest.mark.parametrize(
    ("start", "end", "flags"),
    [
        ("2026-02-01", "2026-01-01", (True, False)),
        ("2026-01-01", "2026-01-01", (True, False)),
        ("2026-01-01T00:00:01", "2026-02-01T00:00:01", (True, False)),
        ("2026-01-01T00:30:00", "2026-02-01T00:30:00", (True, False)),
        ("2026-01-01T00:00:00.5", "2026-02-01", (True, False)),
        ("2026-01-01", "2026-01-28T23:00:00", (True, False)),
        ("2026-01-01", "2026-05-02", (True, False)),
        ("2026-01-01", "2026-02-01", (True, True)),
        ("2026-01-01", "2026-02-01", (False, False)),
    ],
)
def test_horizons_that_break_a_rule(start: str, end: str, flags: tuple[bool, bool]) -> None:
    with pytest.raises(DomainError) as caught:
        bucket_count(
            _scenario(start, end, baseline=flags[0], stress=flags[1]), POLICY, "5B.S1.SCENARIO_HORIZON_INVALID"
        )
    assert caught.value.code == "5B.S1.SCENARIO_HORIZON_INVALID"


def test_half_hour_buckets_allow_half_hours() -> None:
    policy = TimeGridPolicy(1800, (), (), True, (6, 7), 28, 120, 5000)
    assert bucket_count(_scenario("2026-01-01T00:30", "2026-01-31T00:30"), policy, "X.S1.Y") == 1440


@pytest.mark.parametrize(
    ("tzid", "group"), [("America/New_York", "zg12"), ("Europe/London", "zg07"), ("Etc/UTC", "zg09")]
)
def test_zone_group_vectors(tzid: str, group: str) -> None:
    assert zone_group_id(tzid, 16) == group


def test_in_stratum_vector() -> None:
    stratum = ("online_24h", "card_not_present", "virtual", "zg07")
    assert in_stratum_bucket("baseline_v1", stratum, 123456789, 32) == 1


def test_contested_class_is_decided_by_volume_and_reported(demo_run: Run) -> None:
    """The demo holds one series whose countries differ in class; both runs report and anomalies name it."""
    anomalies = pq.read_table(demo_run.path("s4_arrival_anomalies_5B", "baseline_v1"), partitioning=None).to_pylist()
    contested = [row for row in anomalies if row["anomaly_code"] == "DEMAND_CLASS_CONFLICT"]
    assert len(contested) == 1


def test_grid_is_contiguous_and_half_open(demo_run: Run) -> None:
    grid = pq.read_table(demo_run.path("s1_time_grid_5B", "baseline_v1"), partitioning=None).to_pandas()
    assert (grid.bucket_index.to_numpy() == range(len(grid))).all()
    assert (grid.bucket_start_utc[1:].to_numpy() == grid.bucket_end_utc[:-1].to_numpy()).all()
    start = grid.bucket_start_utc
    assert (grid.local_day_of_week == start.dt.isocalendar().day).all()
    assert (grid.local_minutes_since_midnight == start.dt.hour * 60 + start.dt.minute).all()
    assert (grid.is_weekend == (start.dt.day_of_week >= 5)).all()
