"""One scenario as the twin sees it: what messages start from, the numbers of the policies, the grid, the clocks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seg5b.errors import RunError
from seg5b.twin.laws import CountParameters, DrawnCount, FieldLaw, draw_count, latent_path
from seg5b.twin.merchants import MISSING, Traits
from seg5b.twin.randomness import Draw, Origin, Stream
from seg5b.twin.readings import LATENT_FAMILY, Readings

COUNT_FAMILY = "S3.bucket_count.v1"


@dataclass(frozen=True, slots=True)
class Scene:
    """``start_us`` is the beginning of bucket 0 (UTC microseconds), ``buckets`` their number. ``zones`` (where clocks are asked
    for): the seconds from which each offset of a zone holds, and those offsets in minutes; ``busy``: the zones that tempering
    avoids."""

    origin: Origin
    readings: Readings
    start_us: int
    buckets: int
    zones: Mapping[str, tuple[Sequence[int], Sequence[int]]] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()

    @property
    def bucket_us(self) -> int:
        """Length of a bucket in microseconds."""
        return self.readings.bucket_s * 1_000_000

    def bucket_start_us(self, bucket: int) -> int:
        """Where a bucket begins, UTC microseconds."""
        return self.start_us + bucket * self.bucket_us

    def bucket_key(self, merchant_id: int, zone: str, channel: str, bucket: int) -> str:
        """Domain key of a series' bucket (docs/laws#domain-keys)."""
        with_channel = self.readings.bucket_key_law == "merchant_zone_channel_bucket"
        named = f"|channel={channel}" if with_channel else ""
        return f"merchant_id={merchant_id}|zone={zone}{named}|bucket_index={bucket}"

    def latent_stream(self, group_id: str) -> Stream:
        """The stream of a group's path: block t for bucket t."""
        return self.origin.stream(LATENT_FAMILY, f"group_id={group_id}")

    def field_law(self, traits: Traits) -> FieldLaw:
        """Parameters of a group's field."""
        read = self.readings
        sigma = read.sigma(traits.band, traits.demand_class, traits.channel, traits.virtual_band)
        return FieldLaw(sigma, read.length(traits.band, traits.demand_class), *read.factor_bounds)

    def factor_path(self, traits: Traits, buckets: int) -> list[float]:
        """Factors of buckets 0 .. ``buckets`` - 1 of a group; ones where nothing is drawn."""
        if not self.readings.has_field:
            return [1.0] * buckets
        law = self.field_law(traits)
        return [law.factor(z) for z in latent_path(self.latent_stream(traits.group_id), law, buckets)]

    def realised(self, target: float, factor: float) -> float:
        """Intensity: their product, at most ``lambda_max``."""
        return min(target * factor, self.readings.lambda_max)

    def count_law(self, traits: Traits) -> CountParameters:
        """Law of a series' counts."""
        read = self.readings
        kappa = read.kappa(traits.band, traits.demand_class)
        return CountParameters(read.count_law, kappa, read.exact_max, read.term_cap, read.count_cap)

    def count_draw(self, merchant_id: int, zone: str, channel: str, bucket: int) -> Draw:
        """The block behind a bucket's count."""
        return self.origin.stream(COUNT_FAMILY, self.bucket_key(merchant_id, zone, channel, bucket)).draw(0)

    def derive_count(
        self, merchant_id: int, zone: str, channel: str, bucket: int, mu: float, law: CountParameters
    ) -> DrawnCount:
        """Count of one bucket with mean ``mu``; nothing is drawn at or below the zero rule."""
        if mu <= self.readings.zero_eps:
            return DrawnCount(0, mu, False)
        return draw_count(self.count_draw(merchant_id, zone, channel, bucket), mu, law)

    def offset_minutes(self, tzid: str, ts_us: int) -> int:
        """Offset of the sealed cache at an instant: that of the last change at or before it, else the first one's.

        Raises `RunError` ``5B.EXPLAIN.NOT_FOUND`` for a zone that the cache does not have.
        """
        if tzid not in self.zones:
            what = f"zone {tzid} is not in the sealed cache"
            raise RunError(MISSING, what, where="tz_timetable_cache", remedy="compile the cache of 2A again")
        seconds, minutes = self.zones[tzid]
        return int(minutes[max(bisect_right(seconds, ts_us // 1_000_000) - 1, 0)])
