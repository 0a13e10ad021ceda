"""One scenario as the twin sees it: what messages start from, the numbers of the policies, the grid, the clocks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seg5b.errors import RunError
from seg5b.twin.laws import CountParameters, DrawnCount, FieldLaw, LevelLaw, VolumeLaw, draw_count, latent_path
from seg5b.twin.merchants import MISSING, Place, Traits
from seg5b.twin.randomness import Draw, Origin, Stream
from seg5b.twin.readings import LATENT_FAMILY, Readings

COUNT_FAMILY = "S3.bucket_count.v1"


def group_key(group_id: str) -> str:
    """Domain key of a group's path."""
    return f"group_id={group_id}"


def country_key(country: str) -> str:
    """Domain key of the path that series of a country share."""
    return f"level=country|country={country}"


def zone_key(zone: str) -> str:
    """Domain key of the path that series of a zone share."""
    return f"level=zone|zone={zone}"


def own_key(merchant_id: int, zone: str, channel: str) -> str:
    """Domain key of a series' own path."""
    return f"level=own|merchant_id={merchant_id}|zone={zone}|channel={channel}"


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

    def latent_stream(self, domain_key: str) -> Stream:
        """The stream of a latent path: block t for bucket t."""
        return self.origin.stream(LATENT_FAMILY, domain_key)

    def latent_keys(self, traits: Traits, place: Place) -> dict[str, str]:
        """Domain keys of the paths behind a series' factor (docs/laws#domain-keys), by what they are called in a derivation:
        that of its group, or those of the levels from country to own path. Nothing without a field."""
        if self.readings.has_levels:
            return {
                "latent_country": country_key(place.country),
                "latent_zone": zone_key(place.zone),
                "latent_own": own_key(place.merchant_id, place.zone, place.channel),
            }
        return {"latent": group_key(traits.group_id)} if self.readings.has_field else {}

    def level_law(self, traits: Traits) -> LevelLaw:
        """Parameters of a series' field under ``log_gaussian_two_level_v1``."""
        (country, of_country), (zone, of_zone) = self.readings.shared_levels
        own = self.field_law(traits)
        return LevelLaw(own.sigma, (country, zone, 1.0 - (country + zone)), (of_country, of_zone, own.length))

    def field_law(self, traits: Traits) -> FieldLaw:
        """Parameters of a group's field; under ``log_gaussian_two_level_v1`` sigma of the sum and length of the own path."""
        read = self.readings
        sigma = read.sigma(traits.band, traits.demand_class, traits.channel, traits.virtual_band)
        return FieldLaw(sigma, read.length(traits.band, traits.demand_class), *read.factor_bounds)

    def factor_path(self, traits: Traits, place: Place, buckets: int) -> list[float]:
        """Factors of buckets 0 .. ``buckets`` - 1 of a series; ones where nothing is drawn."""
        streams = [self.latent_stream(key) for key in self.latent_keys(traits, place).values()]
        if self.readings.has_levels:
            levels = self.level_law(traits)
            paths = [latent_path(stream, law, buckets) for stream, law in zip(streams, levels.paths, strict=True)]
            return [levels.factor(values) for values in zip(*paths, strict=True)]
        if not streams:
            return [1.0] * buckets
        law = self.field_law(traits)
        return [law.factor(z) for z in latent_path(streams[0], law, buckets)]

    def realised(self, target: float, factor: float) -> float:
        """Intensity: their product, at most ``lambda_max``."""
        return min(target * factor, self.readings.lambda_max)

    def count_law(self, traits: Traits) -> CountParameters:
        """Law of a series' counts."""
        read = self.readings
        kappa = read.kappa(traits.band, traits.demand_class)
        volume = VolumeLaw(*read.volume_law) if read.volume_law else None
        return CountParameters(read.count_law, kappa, read.exact_max, read.term_cap, read.count_cap, volume)

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

    def local_hour(self, tzid: str, ts_us: int) -> int:
        """Hour of the day, 0 to 23, that the clocks of a zone show at an instant. Raises as `offset_minutes`."""
        return (ts_us // 1_000_000 + 60 * self.offset_minutes(tzid, ts_us)) // 3600 % 24
