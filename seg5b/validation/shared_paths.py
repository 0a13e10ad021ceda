"""The paths that series of one country or time zone share, derived again (docs/laws#two-level-field)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from seg5b.twin.laws import FieldLaw, LevelLaw
from seg5b.twin.merchants import Place
from seg5b.twin.scene import Scene, country_key, zone_key
from seg5b.twin.vectors import Streams, latent_paths, log_level_factors


def shared_paths(scene: Scene, laws: Sequence[LevelLaw], places: Sequence[Place], buckets: int) -> list[np.ndarray]:
    """The paths of the country and of the zone of each of n series, float64 [n, buckets] each; drawn once for all that share
    them."""
    names = [country_key(place.country) for place in places], [zone_key(place.zone) for place in places]
    return [_each_once(scene, own, laws[0].paths[level], buckets) for level, own in enumerate(names)]


def _each_once(scene: Scene, names: Sequence[str], law: FieldLaw, buckets: int) -> np.ndarray:
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    paths = latent_paths(Streams.of(map(scene.latent_stream, number)), [law] * len(number), buckets)
    chosen: np.ndarray = paths[[number[name] for name in names]]
    return chosen


def own_paths(scene: Scene, laws: Sequence[LevelLaw], places: Sequence[Place], factors: np.ndarray) -> np.ndarray:
    """The own paths of n series, of variance one, float64 [n, buckets]: what is left of their factors once the paths of country
    and zone are taken out. They are independent of each other."""
    levels = shared_paths(scene, laws, places, factors.shape[1])
    shared = log_level_factors(laws, [*levels, np.zeros(factors.shape)])
    scale = np.array([law.sigma * math.sqrt(law.shares[2]) for law in laws])[:, None]
    paths: np.ndarray = (np.log(factors) - shared) / scale
    return paths


def own_parts(
    scene: Scene, laws: Sequence[LevelLaw], places: Sequence[Place], factors: np.ndarray
) -> tuple[list[FieldLaw], np.ndarray]:
    """The same as mean-one factors, each with its law: what `FieldLaw.factor` makes of the own paths."""
    own = [FieldLaw(law.sigma * math.sqrt(law.shares[2]), law.lengths[2], 0.0, math.inf) for law in laws]
    sigma = np.array([law.sigma for law in own])[:, None]
    return own, np.exp(sigma * own_paths(scene, laws, places, factors) - sigma**2 / 2.0)
