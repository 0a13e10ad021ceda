"""The derivation of one arrival or bucket, step by step, compared with what was published, and told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.errors import RunError
from seg5b.explain.counts import derive_bucket, published_bucket
from seg5b.explain.facts import find_segments, load_merchants, published_rows, routed_scene
from seg5b.explain.life import Life, tell_arrival, tell_bucket
from seg5b.explain.life.html import as_article, as_page
from seg5b.explain.life.subject import ArrivalStory, BucketStory
from seg5b.explain.life.text import as_text
from seg5b.explain.scenario import explained_scenario
from seg5b.explain.seeking import Candidate, Sought, arrivals_of, refused_id, seek
from seg5b.query import literal
from seg5b.run_tables.subject import Subject
from seg5b.runs.root import RunRoot
from seg5b.twin.arrivals import derive_arrival
from seg5b.twin.merchants import MISSING


@dataclass(frozen=True, slots=True)
class Explanation:
    """``bucket`` explains intensity and count, ``arrival`` the one arrival (None when a bucket was asked for);
    ``differences`` names derived values that are not the published ones; ``life`` tells all of it to a person;
    ``matches`` is how many arrivals fitted what was asked for, of which this is the earliest (None: it was named)."""

    scenario_id: str
    merchant_id: int
    arrival_seq: int | None
    bucket: Mapping[str, Any]
    arrival: Mapping[str, Any] | None
    differences: tuple[str, ...]
    life: Life
    matches: int | None = None

    @property
    def holds(self) -> bool:
        """Whether everything derived is what was published."""
        return not self.differences

    def text(self, width: int = 80, *, integers: bool = False) -> str:
        """The life as plain text, ``width`` characters wide (60 to 100), on request with the integers behind it."""
        return as_text(self.life, width, integers=integers)

    def html(self, *, integers: bool = False) -> str:
        """The life as an HTML page that needs nothing else; ``integers``: with their details open."""
        return as_page(self.life, integers=integers)

    def _repr_html_(self) -> str:
        """The life in a notebook."""
        return as_article(self.life)

    def __repr__(self) -> str:
        outcome = "as published" if self.holds else f"differs in {', '.join(self.differences)}"
        return f"Explanation({self.life.title}, scenario {self.scenario_id}: {outcome})"

    def as_dict(self) -> dict[str, Any]:
        """The explanation for machines: the life, and every value behind it. Ids that pass 2^53 are texts."""
        return {
            "scenario_id": self.scenario_id,
            "merchant_id": str(self.merchant_id),
            "arrival_seq": self.arrival_seq,
            "holds": self.holds,
            "differences": list(self.differences),
            "matches": self.matches,
            "life": self.life.as_dict(),
            "bucket": dict(self.bucket),
            "arrival": None if self.arrival is None else dict(self.arrival),
        }


def explain_arrival(
    root: RunRoot, contracts: ContractSource, merchant_id: int, arrival_seq: int, scenario_id: str | None = None
) -> Explanation:
    """Derive one arrival from the sealed inputs, and the count of its bucket with it.

    Raises `RunError` ``5B.EXPLAIN.NOT_FOUND`` when the merchant has no such arrival, and as `explained_scenario`.
    """
    with explained_scenario(root, contracts, scenario_id) as subject:
        return _arrival(subject, merchant_id, arrival_seq)


def explain_sought(
    root: RunRoot, contracts: ContractSource, sought: Sought, scenario_id: str | None = None
) -> Explanation:
    """Derive the earliest arrival that fits what is known of it. Raises as `seek` and `explain_arrival`."""
    with explained_scenario(root, contracts, scenario_id) as subject:
        (first, *_), total = seek(subject, sought, 1)
        return _arrival(subject, first.merchant_id, first.arrival_seq, total)


def list_sought(
    root: RunRoot, contracts: ContractSource, sought: Sought, limit: int, scenario_id: str | None = None
) -> tuple[list[Candidate], int]:
    """The earliest arrivals that fit, and how many there are. Raises as `seek` and `explained_scenario`."""
    with explained_scenario(root, contracts, scenario_id) as subject:
        return seek(subject, sought, limit)


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
    with explained_scenario(root, contracts, scenario_id, arrivals=False) as subject:
        _check_merchant(subject, merchant_id)
        story = _bucket(subject, merchant_id, zone, channel or _only_channel(subject, merchant_id, zone), bucket)
        wrong = tuple(story.differences)
        return Explanation(subject.scenario_id, merchant_id, None, _bucket_data(story), None, wrong, tell_bucket(story))


def differences(derived: Mapping[str, Any], published: Mapping[str, Any]) -> list[str]:
    """Names of derived values that differ from the published ones, exactly."""
    return [name for name, value in derived.items() if name not in published or published[name] != value]


def _arrival(subject: Subject, merchant_id: int, arrival_seq: int, matches: int | None = None) -> Explanation:
    key = (merchant_id, arrival_seq)
    segment = find_segments(subject, [key]).get(key)
    total = arrivals_of(subject, merchant_id)
    if segment is None:
        _check_merchant(subject, merchant_id)
        what = f"merchant {merchant_id} has no arrival {arrival_seq} in {subject.scenario_id}"
        remedy = f"its arrivals there are 1 to {total}" if total else "it has none there: choose another, see --list"
        raise RunError(MISSING, what, where="s3_bucket_counts_5B", remedy=remedy)
    merchant = load_merchants(subject, [merchant_id])[merchant_id]
    derived = derive_arrival(routed_scene(subject), merchant, segment)
    published = published_rows(subject, [key]).get(key, {})
    zone, channel = derived.values["zone_representation"], derived.values["channel_group"]
    bucket = _bucket(subject, merchant_id, zone, channel, segment.bucket)
    wrong = differences(derived.values, published)
    life = tell_arrival(ArrivalStory(bucket, arrival_seq, total, merchant, segment, derived, published, wrong))
    data = {**derived.as_json(), "published": published}
    every = (*bucket.differences, *wrong)
    return Explanation(subject.scenario_id, *key, _bucket_data(bucket), data, every, life, matches)


def _check_merchant(subject: Subject, merchant_id: int) -> None:
    unknown = refused_id(subject, "merchant", merchant_id, "modes")
    if unknown:
        raise unknown


def _bucket(subject: Subject, merchant_id: int, zone: str, channel: str, bucket: int) -> BucketStory:
    derived = derive_bucket(subject, merchant_id, zone, channel, bucket)
    published = published_bucket(subject, merchant_id, zone, channel, bucket)
    wrong = differences(derived.values, published)
    return BucketStory(subject, merchant_id, zone, channel, bucket, derived, published, wrong)


def _bucket_data(story: BucketStory) -> dict[str, Any]:
    place = {"zone_representation": story.zone, "channel_group": story.channel, "bucket_index": story.bucket}
    return {**place, **story.derived.as_json(), "published": dict(story.published)}


def _only_channel(subject: Subject, merchant_id: int, zone: str) -> str:
    rows = subject.rows(
        f"SELECT DISTINCT channel_group FROM grouping WHERE merchant_id = {merchant_id} "
        f"AND zone_representation = {literal(zone)}"
    )
    if len(rows) != 1:
        what = f"merchant {merchant_id} has {len(rows)} channels in {zone}"
        raise RunError(MISSING, what, where="s1_grouping_5B", remedy="name the series with --zone and --channel")
    return str(rows[0][0])
