"""Where arrivals land: sites, edges, merchants, zones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg5b.page.facts.scene import Scene

POINTS = 600


@dataclass(frozen=True, slots=True)
class Places:
    """Arrivals of every site, edge and merchant that has any, int64, largest first. ``zones``: (tzid, arrivals, virtual
    arrivals), largest first. ``promised`` (millionths) and ``seen`` [merchants]: all merchants that were promised or
    got anything, in order of a hash of their id."""

    sites: np.ndarray
    edges: np.ndarray
    merchants: np.ndarray
    zones: tuple[tuple[str, int, int], ...]
    promised: np.ndarray
    seen: np.ndarray

    def zone_counts(self) -> np.ndarray:
        """Arrivals by zone, largest first."""
        return np.array([arrivals for _, arrivals, _ in self.zones], np.int64)

    def correlation(self) -> float:
        """Pearson's correlation of promised intensity and arrivals over merchants; NaN below two."""
        if self.seen.size < 2 or not self.seen.std() or not self.promised.std():
            return float("nan")
        return float(np.corrcoef(self.promised.astype(np.float64), self.seen.astype(np.float64))[0, 1])


def gini(values: np.ndarray) -> float:
    """Gini coefficient: 0 when all are equal, towards 1 when one has everything."""
    ordered = np.sort(values.astype(np.float64))
    if not ordered.size or not ordered.sum():
        return 0.0
    ranks = np.arange(1, ordered.size + 1)
    return float((2 * ranks - ordered.size - 1) @ ordered / (ordered.size * ordered.sum()))


def top_share(values: np.ndarray, fraction: float) -> float:
    """Share of the largest ``fraction`` of places (at least one)."""
    largest = max(1, round(values.size * fraction))
    return float(values[:largest].sum() / values.sum()) if values.size else 0.0


def lorenz(values: np.ndarray, points: int = 100) -> np.ndarray:
    """Cumulative share at 0, 1/points .. 1 of the places, smallest first; float64 [points + 1]."""
    if not values.size:
        return np.zeros(points + 1)
    climbed = np.concatenate([[0.0], np.cumsum(values[::-1].astype(np.float64))]) / float(values.sum())
    return np.interp(np.linspace(0, 1, points + 1), np.linspace(0, 1, values.size + 1), climbed)


def measure_places(scene: Scene) -> Places:
    """Arrivals by site, edge, merchant and zone of a scenario, from the tables of `open_scene`."""
    merchants = scene.arrays(_MERCHANTS)
    zones = scene.rows(
        """SELECT tzid, sum(arrivals)::BIGINT AS n, coalesce(sum(arrivals) FILTER (is_virtual), 0)::BIGINT
           FROM clock GROUP BY tzid ORDER BY n DESC, tzid"""
    )
    return Places(
        sites=_sizes(scene, "site_id"),
        edges=_sizes(scene, "edge_id"),
        merchants=_sizes(scene, "merchant_id"),
        zones=tuple(zones),
        promised=merchants["promised"].astype(np.int64),
        seen=merchants["seen"].astype(np.int64),
    )


def _sizes(scene: Scene, column: str) -> np.ndarray:
    found = scene.arrays(
        f"""SELECT sum(arrivals)::BIGINT AS n FROM places WHERE {column} IS NOT NULL GROUP BY merchant_id, {column}
            ORDER BY n DESC"""
    )
    return found["n"].astype(np.int64)


_MERCHANTS = """
    SELECT coalesce(promised, 0)::BIGINT AS promised, coalesce(seen, 0)::BIGINT AS seen
    FROM (SELECT merchant_id, sum(CAST(lam * 1e6 AS BIGINT)) AS promised FROM active JOIN series USING (k) GROUP BY ALL)
    FULL JOIN (SELECT merchant_id, sum(arrivals) AS seen FROM places GROUP BY ALL) USING (merchant_id)
    ORDER BY hash(merchant_id), merchant_id"""
