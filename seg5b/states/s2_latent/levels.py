"""The field of ``log_gaussian_two_level_v1``: paths of countries and time zones, and a path of its own for each series.

Law: docs/laws#two-level-field. Only the shared paths are held; the factors of some series are drawn when they are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.derivation import Streams
from seg5b_kernels.latent import LevelFactors, LevelInputs

from seg5b.backends.base import Array, Backend
from seg5b.context import ScenarioWork
from seg5b.errors import DomainError
from seg5b.inputs.profile import read_profile
from seg5b.policy import LgcpPolicy, RngPolicy
from seg5b.policy.lgcp import FieldLevels
from seg5b.rng.messages import country_domain_key, own_domain_key, zone_domain_key
from seg5b.states.s2_latent.factors import draw_paths, hyper_parameters, path_streams, summary_of

PROFILE = "merchant_zone_profile_5A"


@dataclass(frozen=True, slots=True)
class LevelField:
    """A field of shared paths and one path for each series (`seg5b.states.s2_latent.field.Field`).

    ``streams`` [n] of the own paths, ``sigma`` and ``length`` float64 [n], ``country`` and ``zone`` int32 [n], all on the
    host: rows of ``shared`` float64 [P, H] on the backend. ``weights``: square roots of the shares of the variance. ``names``
    and ``counters``: domain keys and base counters of all paths, countries before zones before series.
    """

    backend: Backend
    streams: Streams
    sigma: np.ndarray
    length: np.ndarray
    country: np.ndarray
    zone: np.ndarray
    shared: Array
    weights: tuple[float, ...]
    names: tuple[str, ...]
    counters: tuple[int, ...]
    latent: None = None
    clipped_low: int = 0
    clipped_high: int = 0
    label: str = "latent_domain"
    parameters: Mapping[str, float] = field(default_factory=dict)

    def followed(self, series: np.ndarray) -> np.ndarray:
        """Which paths some series follow, of their countries, zones and their own, bool [P]; ``series`` bool [n]."""
        shared = np.concatenate([self.country[series], self.zone[series]])
        own = self.shared.shape[0] + np.flatnonzero(series)
        return np.isin(np.arange(len(self.names)), np.concatenate([shared, own]))

    def of(self, series: slice) -> tuple[np.ndarray, Array]:
        """The factors of some series, a row each. Draws: 2 H per series."""
        backend, upload = self.backend, self.backend.upload
        inputs = LevelInputs(
            Streams(*(upload(column[series]) for column in self.streams)),
            upload(self.sigma[series]),
            upload(self.length[series]),
            upload(self.country[series]),
            upload(self.zone[series]),
            self.shared,
            *self.weights,
        )
        rows = self.sigma[series].size
        factors = LevelFactors(backend.empty((rows, self.shared.shape[1]), np.float64))
        backend.launch(registry.TWO_LEVEL_FACTOR, rows, inputs, factors)
        return np.arange(rows, dtype=np.int32), factors.factor


def draw_level_field(work: ScenarioWork, policy: LgcpPolicy, rng: RngPolicy, levels: FieldLevels) -> LevelField:
    """Draw the shared paths of a scenario, and derive the streams of all others. Draws: 2 H per country and time zone here.

    Raises `DomainError` ``REALISED_DOMAIN_INCOMPLETE`` for a series without a country, `InputError`
    ``LAMBDA_SOURCE_MISSING`` for a profile that cannot be read, `PolicyError` and `EvidenceError` as for groups.
    """
    axis = work.axis
    of_group = hyper_parameters(work.grid.band, axis.groups, policy, code=work.code("LGCP_CONFIG_INVALID"))
    sigma, length = (values[axis.group] for values in of_group)
    countries, country = _in_byte_order(_countries(work))
    zones, zone = _in_byte_order([axis.zones[code] for code in axis.zone.tolist()])
    own = (own_domain_key(*axis.key(series)) for series in range(len(axis)))
    names = (*map(country_domain_key, countries), *map(zone_domain_key, zones), *own)
    streams, counters = path_streams(work, rng, names)
    shared = len(countries) + len(zones)
    lengths = np.repeat((levels.country.length_buckets, levels.zone.length_buckets), (len(countries), len(zones)))
    paths = draw_paths(work, Streams(*(each[:shared] for each in streams)), np.ones(shared), lengths, (0.0, math.inf))
    return LevelField(
        work.backend,
        Streams(*(each[shared:] for each in streams)),
        sigma,
        length,
        country,
        zone + np.int32(len(countries)),
        paths.latent,
        tuple(map(math.sqrt, levels.shares)),
        names,
        counters,
        parameters=summary_of(*of_group),
    )


def _countries(work: ScenarioWork) -> list[str]:
    """The country of each series: the first in byte order through which the profile has its merchant in its zone."""
    files = work.state.gate.files(PROFILE)
    known = read_profile(files, code=work.code("LAMBDA_SOURCE_MISSING")).first_countries()
    found = []
    for series in range(len(work.axis)):
        merchant, zone, _ = work.axis.key(series)
        if (merchant, zone) not in known:
            raise DomainError(
                work.code("REALISED_DOMAIN_INCOMPLETE"),
                f"merchant {merchant} has no country in {zone}",
                where=PROFILE,
                remedy="profile and grouping must come from the same sealed world; run S1 again",
            )
        found.append(known[merchant, zone])
    return found


def _in_byte_order(names: list[str]) -> tuple[list[str], np.ndarray]:
    """Distinct names, ascending by bytes, and the number of each, int32."""
    distinct = sorted(set(names), key=str.encode)
    number = {name: place for place, name in enumerate(distinct)}
    return distinct, np.array([number[name] for name in names], np.int32)
