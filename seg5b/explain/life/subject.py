"""What a life is told of: one arrival or one bucket, derived again, beside what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seg5b.explain.counts import BucketDerivation
from seg5b.explain.life.words import duration, minute, wall_clock
from seg5b.query import parquet
from seg5b.run_tables.subject import Subject
from seg5b.twin.arrivals import Derivation
from seg5b.twin.merchants import MerchantFacts, Segment


@dataclass(frozen=True, slots=True)
class BucketStory:
    """A bucket of a series of a merchant; ``differences`` names derived values that are not the published ones."""

    subject: Subject
    merchant_id: int
    zone: str
    channel: str
    bucket: int
    derived: BucketDerivation
    published: Mapping[str, Any]
    differences: Sequence[str]

    @property
    def start_us(self) -> int:
        """First instant of the bucket."""
        return self.subject.horizon.start_us + self.bucket * self.length_us

    @property
    def length_us(self) -> int:
        """Length of the bucket."""
        return int(self.subject.constants["bucket_us"] or 0)

    @property
    def length(self) -> str:
        """``hour``, ``30 minutes``."""
        return "hour" if self.length_us == 3_600_000_000 else duration(self.length_us / 1_000_000)

    def span(self, offset_min: int = 0) -> str:
        """First and last minute by a clock: ``07:00-08:00``."""
        ends = (wall_clock(self.start_us + length, offset_min) for length in (0, self.length_us))
        return "-".join(minute(end) for end in ends)


@dataclass(frozen=True, slots=True)
class ArrivalStory:
    """An arrival with the bucket that it was counted in; ``total`` arrivals of the merchant in the scenario."""

    bucket: BucketStory
    arrival_seq: int
    total: int
    merchant: MerchantFacts
    segment: Segment
    derived: Derivation
    published: Mapping[str, Any]
    differences: Sequence[str]

    @property
    def subject(self) -> Subject:
        """The scenario behind tables."""
        return self.bucket.subject

    @property
    def ts_us(self) -> int:
        """The instant."""
        return int(self.derived.values["ts_us"])

    @property
    def is_virtual(self) -> bool:
        """Whether it lands on an edge."""
        return bool(self.derived.values["is_virtual"])

    def zone_of(self, clock: str) -> str:
        """Zone of the ``primary``, ``operational`` or ``settlement`` clock."""
        return str(self.derived.values[f"tzid_{clock}"])


def sealed_record(subject: Subject, artifact_id: str, names: Sequence[str], where: str) -> dict[str, Any]:
    """The columns ``names`` of the first row of a sealed dataset ``where`` a condition holds; what is not sealed, has no such
    row or lacks the columns gives none: these only adorn what is told. Raises as `Subject.records`."""
    if not subject.gate.has(artifact_id):
        return {}
    source = parquet(subject.sealed_files(artifact_id))
    stored = {row[0] for row in subject.rows(f"DESCRIBE SELECT * FROM {source}")}
    if not stored.issuperset(names):
        return {}
    found = subject.records(f"SELECT {', '.join(names)} FROM {source} WHERE {where} LIMIT 1")
    return found[0] if found else {}
