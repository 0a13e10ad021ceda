"""How S2 and S3 draw: the latent factor of a few groups, and the scatter of counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg5b.page.facts.scene import Scene
from seg5b.query import literal

GROUPS = 4
SHOWN_DAYS = 28
BINS_PER_DECADE = 4
LEAST = 30


@dataclass(frozen=True, slots=True)
class Field:
    """The factor of the first series of a group, bucket by bucket, float64; ``members`` is how many series of the group share
    it: all of them, or it alone."""

    group_id: str
    demand_class: str
    virtual_series: bool
    members: int
    factor: np.ndarray

    def persistence(self, lag: int) -> float:
        """Correlation of the factor's logarithm with itself ``lag`` buckets later; NaN when it does not vary."""
        logs = np.log(self.factor)
        if logs.size <= lag + 1 or not logs[:-lag].std() or not logs[lag:].std():
            return float("nan")
        return float(np.corrcoef(logs[:-lag], logs[lag:])[0, 1])


@dataclass(frozen=True, slots=True)
class Scatter:
    """Counts of one demand class by size of their mean, [bins] each: ``rows``, mean ``mu``, observed ``variance``
    around mu, its standard ``error``, and the variance that the ``law`` mu + mu^2 / kappa gives; ``kappas``: least and greatest
    dispersion, one where they are the same, none under ``poisson``."""

    demand_class: str
    kappas: tuple[float, ...]
    rows: np.ndarray
    mu: np.ndarray
    variance: np.ndarray
    error: np.ndarray
    law: np.ndarray


@dataclass(frozen=True, slots=True)
class DrawFacts:
    """Fields, one per leading demand class; ``own_paths``: series of a group have different factors; ``means`` float64
    [groups]: the mean factor of the first series of every group; scatter of all classes, largest first."""

    fields: tuple[Field, ...]
    own_paths: bool
    means: np.ndarray
    scatter: tuple[Scatter, ...]


def measure_draws(scene: Scene) -> DrawFacts:
    """Fields of the leading demand classes and scatter of all classes."""
    classes = scene.rows("SELECT demand_class FROM promise GROUP BY ALL ORDER BY sum(micro) DESC, demand_class")
    fields, own_paths = _fields(scene)
    return DrawFacts(fields, own_paths, _means(scene), tuple(_scatter(scene, str(name)) for (name,) in classes))


_LEADERS = """
    WITH sized AS (SELECT demand_class, virtual_series, group_id, count(*) AS members, min(k) AS k, max(k) AS last FROM series
                   WHERE k IN (SELECT k FROM active) GROUP BY ALL),
         kinds AS (SELECT demand_class, virtual_series, sum(micro) AS micro FROM promise GROUP BY ALL)
    SELECT DISTINCT ON (demand_class, virtual_series) group_id, demand_class, virtual_series, members, k, last, micro
    FROM sized JOIN kinds USING (demand_class, virtual_series)
    ORDER BY demand_class, virtual_series, members DESC, group_id"""


def _fields(scene: Scene) -> tuple[tuple[Field, ...], bool]:
    """Fields of the leading classes, and whether any of them is not that of another series of its group."""
    leaders = sorted(scene.rows(_LEADERS), key=lambda row: (-int(row[6]), str(row[0])))[:GROUPS]
    found, own_paths = [], False
    for group_id, demand_class, virtual_series, members, first, last, _ in leaders:
        factor = _factor(scene, first)
        own = first != last and not np.array_equal(factor, _factor(scene, last))
        own_paths |= own
        traits = (str(group_id), str(demand_class), bool(virtual_series), 1 if own else int(members))
        found.append(Field(*traits, factor))
    return tuple(found), own_paths


def _factor(scene: Scene, number: int) -> np.ndarray:
    """Factors of a series, float64 [buckets]."""
    ((merchant_id, tzid, channel),) = scene.rows(
        f"SELECT merchant_id, tzid, channel_group FROM series WHERE k = {number}"
    )
    factor = scene.arrays(
        f"""SELECT lambda_random_component AS factor FROM intensity
            WHERE merchant_id = {merchant_id}::UBIGINT AND zone_representation = {literal(str(tzid))}
              AND channel_group = {literal(str(channel))} ORDER BY bucket_index"""
    )["factor"]
    return factor.astype(np.float64)


def _means(scene: Scene) -> np.ndarray:
    """Of the first series of each group that expects anything: all of a group share the path, or its common part."""
    found = scene.arrays(
        """SELECT sum(CAST(lambda_random_component * 1e6 AS BIGINT))::DOUBLE / 1e6 / count(*) AS mean
           FROM intensity AS i JOIN (SELECT DISTINCT ON (group_id) group_id, merchant_id, tzid, channel_group FROM series
                                     WHERE k IN (SELECT k FROM active) ORDER BY group_id, k) AS g
             ON i.merchant_id = g.merchant_id AND zone_representation = tzid AND i.channel_group = g.channel_group
           GROUP BY group_id ORDER BY group_id"""
    )
    return found["mean"].astype(np.float64)


def _scatter(scene: Scene, demand_class: str) -> Scatter:
    own = f"FROM active JOIN series USING (k) WHERE demand_class = {literal(demand_class)} AND mu > 1e-9"
    ((least, most),) = scene.rows(f"SELECT min(kappa), max(kappa) {own}")
    sums = scene.arrays(
        f"""SELECT count(*) AS n, sum(CAST(mu * 1e6 AS BIGINT))::DOUBLE / 1e6 AS mu,
                   sum(CAST((counted - mu) ** 2 * 1e6 AS HUGEINT))::DOUBLE / 1e6 AS second,
                   sum(CAST((counted - mu) ** 4 * 1e3 AS HUGEINT))::DOUBLE / 1e3 AS fourth,
                   sum(CAST((mu + coalesce(mu * mu / kappa, 0)) * 1e6 AS HUGEINT))::DOUBLE / 1e6 AS law
            {own} GROUP BY floor(log10(mu) * {BINS_PER_DECADE}) HAVING n >= {LEAST} AND sum(mu) >= {LEAST}
            ORDER BY floor(log10(mu) * {BINS_PER_DECADE})"""
    )
    rows = sums["n"].astype(np.int64)
    variance, fourth = sums["second"] / rows, sums["fourth"] / rows
    error = np.sqrt(np.maximum(fourth - variance**2, 0.0) / rows)
    kappas = () if least is None else tuple(sorted({float(least), float(most)}))
    return Scatter(demand_class, kappas, rows, sums["mu"] / rows, variance, error, sums["law"] / rows)
