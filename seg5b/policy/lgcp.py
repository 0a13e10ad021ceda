"""Latent field policy: variance, correlation length and limits of the log-Gaussian factor (docs/laws#field-parameters)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.policy.additions import Additions
from seg5b.policy.reading import PolicyFile, named_number
from seg5b.policy.vocabulary import BANDS, CHANNEL_GROUPS, DEMAND_CLASSES, VIRTUAL_BANDS

CODE = "5B.S2.LGCP_CONFIG_INVALID"
TWO_LEVEL = "log_gaussian_two_level_v1"
ADDITIONS = Additions(
    keys={"levels": None, "realism_floors.stress_sigma_threshold": 0.35},
    determined={"diagnostics.emit_latent_field_diagnostic": False},
    values={"latent_model_id": {TWO_LEVEL: "log_gaussian_ou_v1"}},
)
"""What this policy may state beyond the reference engine's (docs/laws#policy-additions)."""
_SIGMA, _LENGTH = "hyperparam_law.sigma", "hyperparam_law.length_scale_buckets"
_KERNEL_OF = {
    "log_gaussian_ou_v1": "ou_ar1_buckets_v1",
    "log_gaussian_iid_v1": "iid_v1",
    TWO_LEVEL: "ou_ar1_buckets_v1",
}


@dataclass(frozen=True, slots=True)
class SharedLevel:
    """A path that many series share: its share of the variance of the log factor, and its correlation length in buckets."""

    variance_share: float
    length_buckets: float


@dataclass(frozen=True, slots=True)
class FieldLevels:
    """The levels of ``log_gaussian_two_level_v1`` that series of one country and of one time zone share."""

    country: SharedLevel
    zone: SharedLevel

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of the variance of country, zone and own path; the last is what the others leave, so that they make one."""
        shared = self.country.variance_share, self.zone.variance_share
        return *shared, 1.0 - (shared[0] + shared[1])


@dataclass(frozen=True, slots=True)
class LgcpPolicy:
    """Hyper-parameters of the latent field.

    ``sigma_*`` give the standard deviation of the log factor, ``length_*`` its correlation length in buckets
    (``length_bounds`` is already the intersection with the kernel's bounds). ``min_factor`` and ``max_factor`` clip
    the factor (0 and infinity under ``log_gaussian_two_level_v1``, which clips nothing); ``levels`` are those of that law, None
    under others; ``lambda_max`` (arrivals per bucket, None when off) caps the realised intensity.
    """

    latent_model_id: str
    sigma_base: Mapping[str, float]
    sigma_class: Mapping[str, float]
    sigma_channel: Mapping[str, float]
    sigma_virtual: Mapping[str, float]
    sigma_bounds: tuple[float, float]
    length_base: Mapping[str, float]
    length_class: Mapping[str, float]
    length_bounds: tuple[float, float]
    min_factor: float
    max_factor: float
    lambda_max: float | None
    emit_latent_field: bool
    min_distinct_sigma: int
    stress_sigma_threshold: float
    min_stress_sigma_fraction: float
    baseline_median_length_bounds: tuple[float, float]
    levels: FieldLevels | None = None

    @classmethod
    def load(cls, path: Path, contracts: ContractSource) -> LgcpPolicy:
        """Read ``arrival_lgcp_config_5B``. Raises `PolicyError` ``5B.S2.LGCP_CONFIG_INVALID``."""
        file = PolicyFile.read(path, contracts, "arrival_lgcp_config_5B", code=CODE, additions=ADDITIONS)
        capped = file.switch("clipping.lambda_max_enabled")
        levels, clip = _levels(file), (file.number("clipping.min_factor"), file.number("clipping.max_factor"))
        _check_clipping(file, *clip)
        if levels:
            clip = 0.0, math.inf
        policy = cls(
            latent_model_id=file.text("latent_model_id"),
            sigma_base=file.positive_map(f"{_SIGMA}.base_by_scenario_band", BANDS),
            sigma_class=file.positive_map(f"{_SIGMA}.class_multipliers", DEMAND_CLASSES),
            sigma_channel=file.positive_map(f"{_SIGMA}.channel_multipliers", CHANNEL_GROUPS),
            sigma_virtual=file.positive_map(f"{_SIGMA}.virtual_multipliers", VIRTUAL_BANDS),
            sigma_bounds=_positive_bounds(file, f"{_SIGMA}.sigma_bounds"),
            length_base=file.positive_map(f"{_LENGTH}.base_by_scenario_band", BANDS),
            length_class=file.positive_map(f"{_LENGTH}.class_multipliers", DEMAND_CLASSES),
            length_bounds=_length_bounds(file),
            min_factor=clip[0],
            max_factor=clip[1],
            lambda_max=file.number("clipping.lambda_max") if capped else None,
            emit_latent_field=file.switch("diagnostics.emit_latent_field_diagnostic"),
            min_distinct_sigma=file.integer("realism_floors.require_sigma_distinct_values_min"),
            stress_sigma_threshold=file.number("realism_floors.stress_sigma_threshold"),
            min_stress_sigma_fraction=file.number("realism_floors.require_stress_sigma_ge_fraction"),
            baseline_median_length_bounds=file.bounds("realism_floors.require_baseline_median_L_bounds"),
            levels=levels,
        )
        _check_kernel(file, policy.latent_model_id)
        _check_same_classes(file, policy)
        return policy

    def sigma(self, band: str, demand_class: str, channel: str, virtual_band: str) -> float:
        """Standard deviation of the log factor of a group: the product of its four terms, clamped to the bounds.

        Raises `PolicyError` ``5B.S2.LGCP_CONFIG_INVALID`` for a name without a number.
        """
        product = (
            named_number(self.sigma_base, f"arrival_lgcp_config_5B:{_SIGMA}.base_by_scenario_band", band, code=CODE)
            * named_number(
                self.sigma_class, f"arrival_lgcp_config_5B:{_SIGMA}.class_multipliers", demand_class, code=CODE
            )
            * named_number(
                self.sigma_channel, f"arrival_lgcp_config_5B:{_SIGMA}.channel_multipliers", channel, code=CODE
            )
            * named_number(
                self.sigma_virtual, f"arrival_lgcp_config_5B:{_SIGMA}.virtual_multipliers", virtual_band, code=CODE
            )
        )
        return min(max(product, self.sigma_bounds[0]), self.sigma_bounds[1])

    def length(self, band: str, demand_class: str) -> float:
        """Correlation length of a group in buckets, clamped to the bounds. Errors as `sigma`."""
        product = named_number(
            self.length_base, f"arrival_lgcp_config_5B:{_LENGTH}.base_by_scenario_band", band, code=CODE
        ) * named_number(
            self.length_class, f"arrival_lgcp_config_5B:{_LENGTH}.class_multipliers", demand_class, code=CODE
        )
        return min(max(product, self.length_bounds[0]), self.length_bounds[1])


def _positive_bounds(file: PolicyFile, key: str) -> tuple[float, float]:
    low, high = file.bounds(key)
    if low <= 0:
        raise file.fault(key, f"starts at {low}", "use a lower bound above 0")
    return low, high


def _length_bounds(file: PolicyFile) -> tuple[float, float]:
    key, kernel = f"{_LENGTH}.length_scale_bounds", "kernel.length_scale_buckets_bounds"
    outer, inner = _positive_bounds(file, kernel), _positive_bounds(file, key)
    low, high = max(outer[0], inner[0]), min(outer[1], inner[1])
    if low > high:
        raise file.fault(key, f"{list(inner)} and {kernel} {list(outer)} do not meet", "widen one")
    return low, high


def _levels(file: PolicyFile) -> FieldLevels | None:
    """The block ``levels``, which ``log_gaussian_two_level_v1`` needs and no other law reads."""
    model, key = file.text("latent_model_id"), "levels"
    if (model == TWO_LEVEL) != (key in file.payload):
        what = f"is missing, {model} needs it" if model == TWO_LEVEL else f"is given, which {model} does not read"
        raise file.fault(key, what, f"give {key} with {TWO_LEVEL}, and with no other latent_model_id")
    if model != TWO_LEVEL:
        return None
    levels = FieldLevels(*(file.block(f"{key}.{name}", SharedLevel) for name in ("country", "zone")))
    if not levels.shares[2] > 0.0:
        shares = f"{levels.country.variance_share} and {levels.zone.variance_share}"
        raise file.fault(key, f"share all of the variance ({shares})", "leave some for the own path of each series")
    low, high = file.bounds("kernel.length_scale_buckets_bounds")
    for name, level in (("country", levels.country), ("zone", levels.zone)):
        if not low <= level.length_buckets <= high:
            what = f"is {level.length_buckets}, outside of kernel.length_scale_buckets_bounds [{low}, {high}]"
            raise file.fault(f"{key}.{name}.length_buckets", what, "choose a length within, or widen the bounds")
    if file.switch("diagnostics.emit_latent_field_diagnostic"):
        what = f"is true, but {TWO_LEVEL} has a path for every series, not for groups"
        raise file.fault(
            "diagnostics.emit_latent_field_diagnostic", what, "set it to false; `seg5b explain` tells each path"
        )
    return levels


def _check_kernel(file: PolicyFile, model: str) -> None:
    kind = file.text("kernel.kind")
    wanted = _KERNEL_OF.get(model, kind)
    if kind != wanted:
        raise file.fault("kernel.kind", f"is {kind}, but {model} needs {wanted}", f"set it to {wanted}")


def _check_clipping(file: PolicyFile, low: float, high: float) -> None:
    if not (0 < low <= 0.5 and high >= 3.0 and high / low >= 10):
        raise file.fault(
            "clipping",
            f"clips the factor to [{low}, {high}], which flattens it",
            "keep min_factor in (0, 0.5], max_factor >= 3 and their ratio >= 10",
        )


def _check_same_classes(file: PolicyFile, policy: LgcpPolicy) -> None:
    uneven = sorted(policy.sigma_class.keys() ^ policy.length_class.keys())
    if uneven:
        raise file.fault(
            f"{_LENGTH}.class_multipliers",
            f"and {_SIGMA}.class_multipliers do not name the same classes: {', '.join(uneven)}",
            "give each class a number in both",
        )
