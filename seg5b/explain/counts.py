"""Laws L5 and L6 for one series and bucket: target, factor, intensity, count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seg5b.errors import RunError
from seg5b.explain.arrivals import bucket_key, origin_of
from seg5b.explain.facts import MISSING, CountRow
from seg5b.explain.laws import CountParameters, DrawnCount, FieldLaw, draw_count, latent_path
from seg5b.explain.randomness import Draw
from seg5b.query import literal, parquet
from seg5b.run_tables.inputs import SURFACE
from seg5b.run_tables.subject import Subject

_LATENT, _COUNT = "S2.latent_vector.v1", "S3.bucket_count.v1"
_IID, _NO_FIELD = "log_gaussian_iid_v1", "none"


@dataclass(frozen=True, slots=True)
class Traits:
    """What the laws of a series depend on."""

    group_id: str
    demand_class: str
    channel: str
    virtual_band: str
    band: str


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


def field_law(subject: Subject, traits: Traits) -> FieldLaw:
    """Parameters of a group's field under the policy."""
    policy = subject.policies.lgcp
    sigma = policy.sigma(traits.band, traits.demand_class, traits.channel, traits.virtual_band)
    length = 0.0 if policy.latent_model_id == _IID else policy.length(traits.band, traits.demand_class)
    return FieldLaw(sigma, length, policy.min_factor, policy.max_factor)


def factor_path(subject: Subject, traits: Traits, buckets: int) -> list[float]:
    """Factors of buckets 0 .. ``buckets`` - 1 of a group; ones under the model ``none``."""
    if subject.policies.lgcp.latent_model_id == _NO_FIELD:
        return [1.0] * buckets
    law = field_law(subject, traits)
    stream = origin_of(subject).stream(_LATENT, f"group_id={traits.group_id}")
    return [law.factor(z) for z in latent_path(stream, law, buckets)]


def count_law(subject: Subject, traits: Traits) -> CountParameters:
    """Law of a series' counts under the policy."""
    policy = subject.policies.count
    kappa = policy.kappa(traits.band, traits.demand_class) if policy.count_law_id == "nb2" else None
    return CountParameters(
        policy.count_law_id,
        kappa,
        policy.poisson_exact_lambda_max,
        policy.poisson_n_cap_exact,
        policy.max_count_per_bucket,
    )


def derive_count(
    subject: Subject, merchant_id: int, row: CountRow, bucket: int, mu: float, law: CountParameters
) -> DrawnCount:
    """Count of one bucket with mean ``mu``; nothing is drawn at or below the zero rule."""
    if mu <= subject.policies.count.lambda_zero_eps:
        return DrawnCount(0, mu, False)
    return draw_count(count_draw(subject, merchant_id, row, bucket), mu, law)


def count_draw(subject: Subject, merchant_id: int, row: CountRow, bucket: int) -> Draw:
    """The block behind a bucket's count."""
    return origin_of(subject).stream(_COUNT, bucket_key(subject, merchant_id, row, bucket)).draw(0)


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
    factor = factor_path(subject, traits, bucket + 1)[bucket]
    cap = subject.policies.lgcp.lambda_max
    realised = target * factor if cap is None else min(target * factor, cap)
    law, row = count_law(subject, traits), CountRow(zone, channel, 0)
    drawn = derive_count(subject, merchant_id, row, bucket, realised, law)
    values = {
        "lambda_baseline": target,
        "lambda_random_component": factor,
        "lambda_realised": realised,
        "mu": realised,
        "kappa": law.kappa,
        "count_N": drawn.count,
        "count_capped": drawn.capped,
    }
    draws = {}
    if subject.policies.lgcp.latent_model_id != _NO_FIELD:
        draws["latent"] = origin_of(subject).stream(_LATENT, f"group_id={traits.group_id}").draw(bucket)
    if realised > subject.policies.count.lambda_zero_eps:
        draws["count"] = count_draw(subject, merchant_id, row, bucket)
    return BucketDerivation(values, draws, _notes(subject, traits, components, drawn))


def _notes(subject: Subject, traits: Traits, components: list[tuple[str, float]], drawn: DrawnCount) -> dict[str, Any]:
    field = field_law(subject, traits)
    return {
        "group_id": traits.group_id,
        "demand_class": traits.demand_class,
        "surface_by_country": [list(each) for each in components],
        "sigma": field.sigma,
        "correlation_length_buckets": field.length,
        "count_law": subject.policies.count.count_law_id,
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
