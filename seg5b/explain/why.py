"""The derivation of one arrival or bucket, step by step, compared with what was published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.errors import RunError
from seg5b.explain.arrivals import derive_arrival
from seg5b.explain.counts import derive_bucket, published_bucket
from seg5b.explain.facts import MISSING, find_segments, load_merchants, published_rows
from seg5b.explain.scenario import explained_scenario
from seg5b.query import literal
from seg5b.run_tables.subject import Subject
from seg5b.runs.root import RunRoot


@dataclass(frozen=True, slots=True)
class Explanation:
    """``bucket`` explains intensity and count, ``arrival`` the one arrival (None when a bucket was asked for);
    ``differences`` names derived values that are not the published ones."""

    scenario_id: str
    merchant_id: int
    arrival_seq: int | None
    bucket: Mapping[str, Any]
    arrival: Mapping[str, Any] | None
    differences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether everything derived is what was published."""
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        """The explanation for machines. Ids that pass 2^53 are texts."""
        return {
            "scenario_id": self.scenario_id,
            "merchant_id": str(self.merchant_id),
            "arrival_seq": self.arrival_seq,
            "holds": self.holds,
            "differences": list(self.differences),
            "bucket": dict(self.bucket),
            "arrival": None if self.arrival is None else dict(self.arrival),
        }


def explain_arrival(
    root: RunRoot, contracts: ContractSource, merchant_id: int, arrival_seq: int, scenario_id: str | None = None
) -> Explanation:
    """Derive one arrival from the sealed inputs, and the count of its bucket with it.

    Raises `RunError` ``5B.EXPLAIN.NOT_FOUND`` when the merchant has no such arrival, and as `explained_scenario`.
    """
    key = (merchant_id, arrival_seq)
    with explained_scenario(root, contracts, scenario_id) as subject:
        segment = find_segments(subject, [key]).get(key)
        if segment is None:
            what = f"merchant {merchant_id} has no arrival {arrival_seq} in {subject.scenario_id}"
            raise RunError(MISSING, what, where="s3_bucket_counts_5B", remedy="arrival_seq counts from 1 per scenario")
        merchant = load_merchants(subject, [merchant_id])[merchant_id]
        derived = derive_arrival(subject, merchant, segment)
        published = published_rows(subject, [key]).get(key, {})
        zone, channel = derived.values["zone_representation"], derived.values["channel_group"]
        bucket, wrong = _bucket(subject, merchant_id, zone, channel, segment.bucket)
        wrong += differences(derived.values, published)
        arrival = {**derived.as_json(), "published": published}
        return Explanation(subject.scenario_id, merchant_id, arrival_seq, bucket, arrival, tuple(wrong))


def explain_bucket(
    root: RunRoot,
    contracts: ContractSource,
    merchant_id: int,
    zone: str,
    bucket: int,
    channel: str | None = None,
    scenario_id: str | None = None,
) -> Explanation:
    """Derive intensity, factor and count of one bucket of a series; ``channel`` may be left out where there is one.

    Raises as `explain_arrival`.
    """
    with explained_scenario(root, contracts, scenario_id) as subject:
        chosen = channel or _only_channel(subject, merchant_id, zone)
        found, wrong = _bucket(subject, merchant_id, zone, chosen, bucket)
        return Explanation(subject.scenario_id, merchant_id, None, found, None, tuple(wrong))


def differences(derived: Mapping[str, Any], published: Mapping[str, Any]) -> list[str]:
    """Names of derived values that differ from the published ones, exactly."""
    return [name for name, value in derived.items() if name not in published or published[name] != value]


def _bucket(
    subject: Subject, merchant_id: int, zone: str, channel: str, bucket: int
) -> tuple[dict[str, Any], list[str]]:
    derived = derive_bucket(subject, merchant_id, zone, channel, bucket)
    published = published_bucket(subject, merchant_id, zone, channel, bucket)
    place = {"zone_representation": zone, "channel_group": channel, "bucket_index": bucket}
    return {**place, **derived.as_json(), "published": published}, differences(derived.values, published)


def _only_channel(subject: Subject, merchant_id: int, zone: str) -> str:
    rows = subject.rows(
        f"SELECT DISTINCT channel_group FROM grouping WHERE merchant_id = {merchant_id} "
        f"AND zone_representation = {literal(zone)}"
    )
    if len(rows) != 1:
        what = f"merchant {merchant_id} has {len(rows)} channels in {zone}"
        raise RunError(MISSING, what, where="s1_grouping_5B", remedy="name the series with --zone and --channel")
    return str(rows[0][0])
