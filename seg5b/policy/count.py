"""Count policy: the law of the number of arrivals in a bucket (law L6, docs/laws#count-laws)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.policy.additions import Additions
from seg5b.policy.reading import PolicyFile, named_number
from seg5b.policy.vocabulary import BANDS, DEMAND_CLASSES

CODE = "5B.S3.COUNT_CONFIG_INVALID"
ADDITIONS = Additions(
    keys={"nb2.kappa_law.volume_power": None, "realism_floors.baseline_median_kappa_bounds": [10.0, 80.0]},
)
"""What this policy may state beyond the reference engine's (docs/laws#policy-additions)."""
_KAPPA = "nb2.kappa_law"


@dataclass(frozen=True, slots=True)
class VolumePower:
    """How kappa follows the mean mu of a cell: times (mu / ``reference_mean``)^``power``; ``reference_mean`` in arrivals per
    bucket."""

    reference_mean: float
    power: float


@dataclass(frozen=True, slots=True)
class CountPolicy:
    """Count law ``poisson`` or ``nb2`` and its limits.

    ``lambda_zero_eps`` and ``poisson_exact_lambda_max`` are arrivals per bucket; ``kappa`` is the dispersion of nb2
    (variance = mu + mu^2 / kappa), that of a cell follows its group's by ``volume_power`` (None: equals it); a
    ``min_distinct_kappa`` of 0 turns both kappa floors off.
    """

    count_law_id: str
    lambda_zero_eps: float
    max_count_per_bucket: int
    poisson_exact_lambda_max: float
    poisson_n_cap_exact: int
    kappa_base: Mapping[str, float]
    kappa_class: Mapping[str, float]
    kappa_bounds: tuple[float, float]
    min_distinct_kappa: int
    baseline_median_kappa_bounds: tuple[float, float]
    volume_power: VolumePower | None = None

    @classmethod
    def load(cls, path: Path, contracts: ContractSource) -> CountPolicy:
        """Read ``arrival_count_config_5B``. Raises `PolicyError` ``5B.S3.COUNT_CONFIG_INVALID``."""
        file = PolicyFile.read(path, contracts, "arrival_count_config_5B", code=CODE, additions=ADDITIONS)
        kappa = _kappa(file)
        policy = cls(
            count_law_id=file.text("count_law_id"),
            lambda_zero_eps=file.number("lambda_zero_eps"),
            max_count_per_bucket=file.integer("max_count_per_bucket"),
            poisson_exact_lambda_max=file.number("poisson_sampler.poisson_exact_lambda_max"),
            poisson_n_cap_exact=file.integer("poisson_sampler.poisson_n_cap_exact"),
            kappa_base=kappa[0],
            kappa_class=kappa[1],
            kappa_bounds=kappa[2],
            min_distinct_kappa=file.integer("realism_floors.require_kappa_distinct_values_min"),
            baseline_median_kappa_bounds=file.bounds("realism_floors.baseline_median_kappa_bounds"),
            volume_power=_volume_power(file),
        )
        _check_limits(file, policy)
        return policy

    def kappa(self, band: str, demand_class: str) -> float:
        """Dispersion of a group: base times class multiplier, clamped to the bounds.

        Raises `PolicyError` ``5B.S3.COUNT_CONFIG_INVALID`` for a name without a number.
        """
        product = named_number(
            self.kappa_base, f"arrival_count_config_5B:{_KAPPA}.base_by_scenario_band", band, code=CODE
        ) * named_number(
            self.kappa_class, f"arrival_count_config_5B:{_KAPPA}.class_multipliers", demand_class, code=CODE
        )
        return min(max(product, self.kappa_bounds[0]), self.kappa_bounds[1])


def _kappa(file: PolicyFile) -> tuple[dict[str, float], dict[str, float], tuple[float, float]]:
    """Dispersion by band and by class, and its bounds; empty tables where a poisson policy leaves ``nb2`` out."""
    if "nb2" not in file.payload:
        return {}, {}, (1.0, 1.0)
    base = file.positive_map(f"{_KAPPA}.base_by_scenario_band", BANDS)
    return base, file.positive_map(f"{_KAPPA}.class_multipliers", DEMAND_CLASSES), file.bounds(f"{_KAPPA}.kappa_bounds")


def _volume_power(file: PolicyFile) -> VolumePower | None:
    """The block ``nb2.kappa_law.volume_power``, which may be left out."""
    key = f"{_KAPPA}.volume_power"
    return None if file.value(key) is None else file.block(key, VolumePower)


def _check_limits(file: PolicyFile, policy: CountPolicy) -> None:
    eps_max = file.number("realism_floors.lambda_zero_eps_max")
    if policy.lambda_zero_eps > eps_max:
        raise file.fault("lambda_zero_eps", f"is {policy.lambda_zero_eps}, above {eps_max}", "lower it")
    floor = file.integer("realism_floors.max_count_per_bucket_min")
    if policy.max_count_per_bucket < floor:
        raise file.fault("max_count_per_bucket", f"is {policy.max_count_per_bucket}, below {floor}", "raise it")
    if policy.poisson_n_cap_exact < policy.max_count_per_bucket:
        raise file.fault(
            "poisson_sampler.poisson_n_cap_exact",
            f"is {policy.poisson_n_cap_exact}, below max_count_per_bucket {policy.max_count_per_bucket}",
            "raise it to max_count_per_bucket or more",
        )
    if policy.kappa_bounds[0] <= 0:
        raise file.fault(f"{_KAPPA}.kappa_bounds", f"starts at {policy.kappa_bounds[0]}", "use a bound above 0")
