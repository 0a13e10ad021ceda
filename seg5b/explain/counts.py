"""Laws L5 and L6 for one series and bucket: target, factor, intensity, count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from seg5b.errors import RunError
from seg5b.explain.facts import scene_of
from seg5b.query import literal, parquet
from seg5b.run_tables.inputs import SURFACE
from seg5b.run_tables.subject import Subject
from seg5b.twin.laws import CountParameters, DrawnCount, latent_path
from seg5b.twin.merchants import MISSING, Place, Traits
from seg5b.twin.randomness import Draw
from seg5b.twin.readings import SHARED
from seg5b.twin.scene import Scene


@dataclass(frozen=True, slots=True)
class BucketDerivation:
    """One bucket of one series derived again: ``values`` under the names of S2 and S3, and everything behind them."""

    values: Mapping[str, Any]
    draws: Mapping[str, Draw]
    notes: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The whole chain."""
        return {
            "derived": dict(self.values),
            "draws": {name: draw.as_json() for name, draw in self.draws.items()},
            "notes": dict(self.notes),
        }


def derive_bucket(subject: Subject, merchant_id: int, zone: str, channel: str, bucket: int) -> BucketDerivation:
    """Derive intensity and count of a series' bucket from the surface up.

    Raises `RunError` ``5B.EXPLAIN.NOT_FOUND`` when the run has no such series or bucket.
    """
    traits = series_traits(subject, merchant_id, zone, channel)
    if not 0 <= bucket < int(subject.constants["buckets"] or 0):
        raise RunError(MISSING, f"there is no bucket {bucket}", where=subject.scenario_id, remedy="see s1_time_grid_5B")
    components = surface_components(subject, merchant_id, zone, channel, bucket)
    target = 0.0
    for _, expected in components:
        target += expected
    scene, place = scene_of(subject), series_place(subject, merchant_id, zone, channel)
    factor = scene.factor_path(traits, place, bucket + 1)[bucket]
    realised, law = scene.realised(target, factor), scene.count_law(traits)
    drawn = scene.derive_count(merchant_id, zone, channel, bucket, realised, law)
    values = {
        "lambda_baseline": target,
        "lambda_random_component": factor,
        "lambda_realised": realised,
        "mu": realised,
        "kappa": law.kappa_at(realised),
        "count_N": drawn.count,
        "count_capped": drawn.capped,
    }
    draws = {name: scene.latent_stream(key).draw(bucket) for name, key in scene.latent_keys(traits, place).items()}
    if realised > scene.readings.zero_eps:
        draws["count"] = scene.count_draw(merchant_id, zone, channel, bucket)
    notes = _notes(scene, traits, components, drawn)
    return BucketDerivation(values, draws, {**notes, **_levels(scene, traits, place, bucket), **_volume(law)})


def _volume(law: CountParameters) -> dict[str, Any]:
    """What the dispersion of a cell is made of, where it follows the mean."""
    if law.volume is None:
        return {}
    return {"group_kappa": law.kappa, "volume_power": asdict(law.volume)}


def _levels(scene: Scene, traits: Traits, place: Place, bucket: int) -> dict[str, Any]:
    """What each level adds to the log factor of a bucket, where it has levels."""
    if not scene.readings.has_levels:
        return {}
    law, keys = scene.level_law(traits), scene.latent_keys(traits, place).values()
    values = [
        latent_path(scene.latent_stream(key), path, bucket + 1)[bucket]
        for key, path in zip(keys, law.paths, strict=True)
    ]
    names = (*SHARED, "own")
    levels = {
        name: {"name": own, "variance_share": share, "length_buckets": length, "value": value}
        for name, own, share, length, value in zip(
            names, (place.country, place.zone, ""), law.shares, law.lengths, values, strict=True
        )
    }
    return {"levels": levels}


def _notes(scene: Scene, traits: Traits, components: list[tuple[str, float]], drawn: DrawnCount) -> dict[str, Any]:
    field = scene.field_law(traits)
    return {
        "group_id": traits.group_id,
        "demand_class": traits.demand_class,
        "surface_by_country": [list(each) for each in components],
        "sigma": field.sigma,
        "correlation_length_buckets": field.length,
        "count_law": scene.readings.count_law,
        "poisson_mean": drawn.mean,
    }


def series_traits(subject: Subject, merchant_id: int, zone: str, channel: str) -> Traits:
    """Traits of a series as S1 grouped it. Raises `RunError` ``5B.EXPLAIN.NOT_FOUND``."""
    rows = subject.rows(
        f"""SELECT group_id, demand_class, channel_group, virtual_band, scenario_band FROM grouping
            WHERE merchant_id = {merchant_id} AND zone_representation = {literal(zone)}
              AND channel_group = {literal(channel)}"""
    )
    if len(rows) != 1:
        what = f"merchant {merchant_id} has no series ({zone}, {channel})"
        raise RunError(MISSING, what, where="s1_grouping_5B", remedy="see s1_grouping_5B for the series of a merchant")
    return Traits(*rows[0])


def series_place(subject: Subject, merchant_id: int, zone: str, channel: str) -> Place:
    """Where a series is; with the country whose path it shares, where the law has such paths.

    Raises `RunError` ``5B.EXPLAIN.NOT_FOUND`` where the profile has none."""
    country = ""
    if subject.policies.readings.has_levels:
        own = f"merchant_id = {merchant_id} AND tzid = {literal(zone)}"
        rows = subject.rows(f"SELECT country FROM first_countries WHERE {own}")
        if len(rows) != 1:
            what = f"merchant {merchant_id} has no country in {zone}"
            raise RunError(MISSING, what, where="merchant_zone_profile_5A", remedy="`seg5b verify` says what changed")
        country = str(rows[0][0])
    return Place(merchant_id, zone, channel, country)


def surface_components(
    subject: Subject, merchant_id: int, zone: str, channel: str, bucket: int
) -> list[tuple[str, float]]:
    """(country, expected arrivals) of a series' bucket in byte order of the country."""
    source = parquet(subject.sealed_files(SURFACE))
    named = "channel_group" in {row[0] for row in subject.rows(f"DESCRIBE SELECT * FROM {source}")}
    join = "" if named else "JOIN profile USING (merchant_id, legal_country_iso, tzid)"
    rows = subject.rows(
        f"""SELECT legal_country_iso, lambda_local_scenario::DOUBLE FROM {source} {join}
            WHERE merchant_id = {merchant_id} AND tzid = {literal(zone)} AND channel_group = {literal(channel)}
              AND local_horizon_bucket_index = {bucket}"""
    )
    return sorted(rows, key=lambda row: row[0].encode())


def published_bucket(subject: Subject, merchant_id: int, zone: str, channel: str, bucket: int) -> dict[str, Any]:
    """The bucket as S2 and S3 published it. Raises `RunError` ``5B.EXPLAIN.NOT_FOUND``."""
    where = f"""merchant_id = {merchant_id} AND zone_representation = {literal(zone)}
                AND channel_group = {literal(channel)} AND bucket_index = {bucket}"""
    found: dict[str, Any] = {}
    for table, names in (
        ("intensity", "lambda_baseline, lambda_random_component, lambda_realised"),
        ("counts", "mu, kappa, count_N, count_capped"),
    ):
        rows = subject.records(f"SELECT {names} FROM {table} WHERE {where}")
        if len(rows) != 1:
            what = f"{table} holds {len(rows)} rows of merchant {merchant_id}, {zone}, bucket {bucket}"
            raise RunError(MISSING, what, where=table, remedy="run S2 and S3")
        found |= rows[0]
    return found
