"""A second reading of the sealed policies: the numbers that a run was made with, read and combined apart from `seg5b.policy`.

What explanations, rederivations and the limits of S5 rest on comes from here; the check ``policy.readings`` compares it with
what the states read. What a key that may be left out means then is stated here a second time; old names of keys are a table
that both readings share (`seg5b.spelling`). Formulas: docs/laws#field-parameters, docs/laws#kappa, docs/laws#domain-keys,
docs/laws#group-ids.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seg5b.contracts.files import load_json, load_yaml
from seg5b.errors import PolicyError, shown
from seg5b.spelling import spelled_anew

CODE: Final = "5B.S5.CONTRACT_INVALID"
BANDS: Final = ("baseline", "stress")
_SOURCES: Final = (
    "arrival_lgcp_config_5B",
    "arrival_count_config_5B",
    "arrival_routing_policy_5B",
    "arrival_rng_policy_5B",
    "time_grid_policy_5B",
    "grouping_policy_5B",
    "alias_layout_policy_v1",
    "arrival_time_placement_policy_5B",
)
_BUCKET_FAMILIES: Final = {
    "S3.bucket_count.v1": "bucket_count",
    "S4.arrival_time_jitter.v1": "arrival_time_jitter",
    "S4.arrival_site_pick.v1": "arrival_site_pick",
    "S4.arrival_edge_pick.v1": "arrival_edge_pick",
    "S4.arrival_edge_temper.v1": "arrival_edge_temper",
}
LATENT_FAMILY: Final = "S2.latent_vector.v1"
TEMPER_FAMILY: Final = "S4.arrival_edge_temper.v1"
TWO_LEVEL: Final = "log_gaussian_two_level_v1"
SHARED: Final = ("country", "zone")
_SIGMA: Final = "hyperparam_law.sigma"
_LENGTH: Final = "hyperparam_law.length_scale_buckets"
_KAPPA: Final = "nb2.kappa_law"

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Readings:
    """Every number of the policies that data depends on.

    Tables of multipliers by name; bounds as (low, high), ``length_bounds`` being the intersection of the policy's two.
    ``shared_levels`` (variance share, length in buckets) of the paths of countries and of time zones, none but under
    ``log_gaussian_two_level_v1``, where nothing is clipped and ``factor_bounds`` are 0 and infinity.
    ``volume_power``: reference mean (arrivals per bucket) and power by which the dispersion of a cell follows its mean.
    ``lambda_max`` arrivals per bucket, infinite where the policy has none; ``zero_eps``, ``exact_max`` means (arrivals per
    bucket), ``term_cap`` terms, ``count_cap`` arrivals; ``bucket_s`` seconds; ``horizon_days`` and ``most_buckets`` the
    guardrails of the grid; ``labels`` the substream of each family; ``virtual_shares`` the coins of channels that have one of
    their own, a probability for each local hour of the day (0 to 23). Laws by the names that the policies give them.
    """

    latent_model: str
    sigma_base: Mapping[str, float]
    sigma_class: Mapping[str, float]
    sigma_channel: Mapping[str, float]
    sigma_virtual: Mapping[str, float]
    sigma_bounds: tuple[float, float]
    length_base: Mapping[str, float]
    length_class: Mapping[str, float]
    length_bounds: tuple[float, float]
    shared_levels: tuple[tuple[float, float], ...]
    factor_bounds: tuple[float, float]
    lambda_max: float
    emit_latent: bool
    count_law: str
    zero_eps: float
    exact_max: float
    term_cap: int
    count_cap: int
    kappa_base: Mapping[str, float]
    kappa_class: Mapping[str, float]
    kappa_bounds: tuple[float, float]
    volume_power: tuple[float, float] | None
    p_virtual_hybrid: float
    tz_group_law: str
    on_missing_site_table: str
    primary_clock: str
    temper: bool
    temper_zones: int
    temper_p: float
    carry_lambda: bool
    carry_tz_group: bool
    domain_sep: str
    bucket_key_law: str
    labels: Mapping[str, str]
    bucket_s: int
    horizon_days: tuple[int, int]
    most_buckets: int
    zone_group_buckets: int
    in_stratum_buckets: int
    endianness: str
    placement_law: str
    virtual_shares: Mapping[str, tuple[float, ...]]

    def p_virtual(self, channel: str, hour: int) -> float:
        """Probability that an arrival of a hybrid merchant in a channel is virtual, at an hour of the day (0 to 23) in the
        zone of its series."""
        return self.virtual_shares[channel][hour] if channel in self.virtual_shares else self.p_virtual_hybrid

    def coin_has_hours(self, channel: str) -> bool:
        """Whether the coin of a channel is another at some hour of the day."""
        return len(set(self.virtual_shares.get(channel, ()))) > 1

    @property
    def coins_have_hours(self) -> bool:
        """Whether that of any channel is."""
        return any(map(self.coin_has_hours, self.virtual_shares))

    @property
    def follows_intensity(self) -> bool:
        """Whether the place of an arrival in its bucket depends on the intensities there and beside it."""
        return self.placement_law == "linear_v1"

    @property
    def has_field(self) -> bool:
        """Whether latent factors are drawn at all."""
        return self.latent_model != "none"

    @property
    def has_levels(self) -> bool:
        """Whether each series has a path of its own beside those of its country and zone."""
        return self.latent_model == TWO_LEVEL

    @property
    def volume_law(self) -> tuple[float, float, float, float] | None:
        """Reference mean, power, and bounds of kappa; None where all cells of a group have the same dispersion, or none."""
        if self.volume_power is None or self.count_law != "nb2":
            return None
        return *self.volume_power, *self.kappa_bounds

    def sigma(self, band: str, demand_class: str, channel: str, virtual_band: str) -> float:
        """Standard deviation of the log factor. Raises `PolicyError` ``5B.S5.CONTRACT_INVALID`` for an unknown name."""
        product = _of(self.sigma_base, band, f"{_SIGMA}.base_by_scenario_band")
        product *= _of(self.sigma_class, demand_class, f"{_SIGMA}.class_multipliers")
        product *= _of(self.sigma_channel, channel, f"{_SIGMA}.channel_multipliers")
        product *= _of(self.sigma_virtual, virtual_band, f"{_SIGMA}.virtual_multipliers")
        return _clamped(product, self.sigma_bounds)

    def length(self, band: str, demand_class: str) -> float:
        """Correlation length in buckets; 0 where buckets are independent. Errors as `sigma`."""
        if self.latent_model == "log_gaussian_iid_v1":
            return 0.0
        product = _of(self.length_base, band, f"{_LENGTH}.base_by_scenario_band")
        product *= _of(self.length_class, demand_class, f"{_LENGTH}.class_multipliers")
        return _clamped(product, self.length_bounds)

    def kappa(self, band: str, demand_class: str) -> float | None:
        """Dispersion of a group's counts; None where the law has none. Errors as `sigma`."""
        if self.count_law != "nb2":
            return None
        product = _of(self.kappa_base, band, f"{_KAPPA}.base_by_scenario_band")
        product *= _of(self.kappa_class, demand_class, f"{_KAPPA}.class_multipliers")
        return _clamped(product, self.kappa_bounds)


def read_policies(place: Callable[[str], Path]) -> Readings:
    """The readings of the policies that ``place`` finds by their ids.

    Raises `PolicyError` ``5B.S5.CONTRACT_INVALID``: a file that cannot be read, a key that is missing or of another kind,
    families of buckets whose domain keys differ; and as ``place``.
    """
    lgcp, count, routing, rng, grid, grouping, alias, placement = (_Policy.read(name, place(name)) for name in _SOURCES)
    bounds = lgcp.pair(f"{_LENGTH}.length_scale_bounds"), lgcp.pair("kernel.length_scale_buckets_bounds")
    capped = lgcp.flag("clipping.lambda_max_enabled")
    clip = lgcp.number("clipping.min_factor"), lgcp.number("clipping.max_factor")
    levels, dispersed = _shared_levels(lgcp), "nb2" in count.document
    labels, bucket_key_law = _families(rng)
    return Readings(
        latent_model=lgcp.text("latent_model_id"),
        sigma_base=lgcp.table(f"{_SIGMA}.base_by_scenario_band"),
        sigma_class=lgcp.table(f"{_SIGMA}.class_multipliers"),
        sigma_channel=lgcp.table(f"{_SIGMA}.channel_multipliers"),
        sigma_virtual=lgcp.table(f"{_SIGMA}.virtual_multipliers"),
        sigma_bounds=lgcp.pair(f"{_SIGMA}.sigma_bounds"),
        length_base=lgcp.table(f"{_LENGTH}.base_by_scenario_band"),
        length_class=lgcp.table(f"{_LENGTH}.class_multipliers"),
        length_bounds=(max(low for low, _ in bounds), min(high for _, high in bounds)),
        shared_levels=levels,
        factor_bounds=(0.0, math.inf) if levels else clip,
        lambda_max=lgcp.number("clipping.lambda_max") if capped else math.inf,
        emit_latent=lgcp.flag("diagnostics.emit_latent_field_diagnostic", False),
        count_law=count.text("count_law_id"),
        zero_eps=count.number("lambda_zero_eps"),
        exact_max=count.number("poisson_sampler.poisson_exact_lambda_max"),
        term_cap=count.whole("poisson_sampler.poisson_n_cap_exact"),
        count_cap=count.whole("max_count_per_bucket"),
        kappa_base=count.table(f"{_KAPPA}.base_by_scenario_band") if dispersed else {},
        kappa_class=count.table(f"{_KAPPA}.class_multipliers") if dispersed else {},
        kappa_bounds=count.pair(f"{_KAPPA}.kappa_bounds") if dispersed else (1.0, 1.0),
        volume_power=_volume_power(count),
        p_virtual_hybrid=routing.number("hybrid_policy.p_virtual_hybrid"),
        tz_group_law=routing.text("physical_router.tz_group_law", "zone_pinned_v1"),
        on_missing_site_table=routing.text("physical_router.on_missing_site_table", "abort"),
        primary_clock=routing.text("virtual_router.primary_clock", "operational"),
        temper=routing.flag("virtual_router.edge_temper.enabled", False),
        temper_zones=routing.whole("virtual_router.edge_temper.top_k", 10),
        temper_p=routing.number("virtual_router.edge_temper.redirect_p", 0.0),
        carry_lambda=routing.flag("optional_columns.lambda_realised", False),
        carry_tz_group=routing.flag("optional_columns.tz_group_id", False),
        domain_sep=rng.text("derivation.domain_sep"),
        bucket_key_law=bucket_key_law,
        labels=labels,
        bucket_s=grid.whole("bucket_duration_seconds"),
        horizon_days=(grid.whole("guardrails.min_horizon_days"), grid.whole("guardrails.max_horizon_days")),
        most_buckets=grid.whole("guardrails.max_buckets_per_scenario"),
        zone_group_buckets=grouping.whole("zone_group_buckets"),
        in_stratum_buckets=grouping.whole("in_stratum_buckets"),
        endianness=alias.text("endianness"),
        placement_law=placement.text("placement_kind"),
        virtual_shares=_virtual_shares(routing),
    )


def _shared_levels(lgcp: _Policy) -> tuple[tuple[float, float], ...]:
    """(variance share, length) of each shared level, if the law has them."""
    if lgcp.text("latent_model_id") != TWO_LEVEL:
        return ()
    keys = ("variance_share", "length_buckets")
    shares, lengths = ([lgcp.number(f"levels.{name}.{key}") for name in SHARED] for key in keys)
    return tuple(zip(shares, lengths, strict=True))


def _virtual_shares(routing: _Policy) -> dict[str, tuple[float, ...]]:
    """Coins of channels that have one of their own, hour by hour."""
    key, hybrid = "hybrid_policy.virtual_share_profile", routing.value("hybrid_policy")
    if not isinstance(hybrid, Mapping) or "virtual_share_profile" not in hybrid:
        return {}
    coins = routing.value(key)
    if not isinstance(coins, Mapping):
        raise _fault(routing.path, key, f"is {shown(coins)}, no table of probabilities")
    return {str(channel): _hours_of(coin, routing.path, key) for channel, coin in coins.items()}


def _hours_of(coin: Any, path: str, key: str) -> tuple[float, ...]:
    """24 numbers, from a list of them or from one that holds all day."""
    hours = coin if isinstance(coin, list) else [coin] * 24
    if len(hours) != 24:
        raise _fault(path, key, f"has {len(hours)} numbers for the hours of the day")
    return tuple(_number(each, path, key) for each in hours)


def _volume_power(count: _Policy) -> tuple[float, float] | None:
    """(reference mean, power), if the policy has them."""
    key = f"{_KAPPA}.volume_power"
    if count.value(key, None) is None:
        return None
    return count.number(f"{key}.reference_mean"), count.number(f"{key}.power")


def _families(rng: _Policy) -> tuple[dict[str, str], str]:
    """Substream labels by family, and the one domain key law of all families but the latent one."""
    declared = rng.value("families")
    laws: dict[str, str] = {}
    labels: dict[str, str] = {}
    for family in declared if isinstance(declared, list) else []:
        one = _Policy(family if isinstance(family, Mapping) else {}, f"{rng.path}:families")
        name = one.text("family_id")
        labels[name], laws[name] = one.text("substream_label"), one.text("domain_key_law")
    if TEMPER_FAMILY not in labels and laws:
        labels[TEMPER_FAMILY], laws[TEMPER_FAMILY] = "arrival_edge_temper", laws.get("S4.arrival_edge_pick.v1", "")
    wanted = {LATENT_FAMILY, *_BUCKET_FAMILIES}
    of_buckets = {law for name, law in laws.items() if name != LATENT_FAMILY}
    if labels.keys() != wanted or len(of_buckets) != 1 or laws[LATENT_FAMILY] != "group_id":
        raise _fault(rng.path, "families", f"has {len(labels)} families with the laws {sorted(of_buckets)}")
    return labels, of_buckets.pop()


@dataclass(frozen=True, slots=True)
class _Policy:
    """A parsed file, read by dotted keys."""

    document: Document
    path: str

    @classmethod
    def read(cls, policy_id: str, path: Path) -> _Policy:
        load = load_json if path.suffix == ".json" else load_yaml
        document = load(path, error=PolicyError, code=CODE)
        try:
            return cls(spelled_anew(policy_id, document), path.name)
        except ValueError as cause:
            raise _fault(path.name, "the file", f"cannot be read: {cause}") from cause

    def value(self, key: str, absent: Any = ...) -> Any:
        node: Any = self.document
        for part in key.split("."):
            if not isinstance(node, Mapping) or part not in node:
                if absent is ...:
                    raise _fault(self.path, key, "is missing")
                return absent
            node = node[part]
        return node

    def number(self, key: str, absent: Any = ...) -> float:
        return _number(self.value(key, absent), self.path, key)

    def whole(self, key: str, absent: Any = ...) -> int:
        value = self.number(key, absent)
        if value != math.floor(value):
            raise _fault(self.path, key, f"is {value}, no whole number")
        return int(value)

    def text(self, key: str, absent: Any = ...) -> str:
        value = self.value(key, absent)
        if not isinstance(value, str) or not value:
            raise _fault(self.path, key, f"is {shown(value)}, no text")
        return value

    def flag(self, key: str, absent: Any = ...) -> bool:
        value = self.value(key, absent)
        if value is not True and value is not False:
            raise _fault(self.path, key, f"is {shown(value)}, neither true nor false")
        return bool(value)

    def pair(self, key: str) -> tuple[float, float]:
        value = self.value(key)
        if not isinstance(value, list) or len(value) != 2:
            raise _fault(self.path, key, f"is {shown(value)}, no pair")
        return _number(value[0], self.path, key), _number(value[1], self.path, key)

    def table(self, key: str) -> dict[str, float]:
        value = self.value(key)
        if not isinstance(value, Mapping):
            raise _fault(self.path, key, f"is {shown(value)}, no table of numbers")
        return {str(name): _number(entry, self.path, key) for name, entry in value.items()}


def _number(value: Any, path: str, key: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise _fault(path, key, f"is {shown(value)}, no number")
    return float(value)


def _fault(path: str, key: str, what: str) -> PolicyError:
    return PolicyError(CODE, f"{key} {what}", where=path, remedy="write the key as in the shipped policy")


def _of(table: Mapping[str, float], name: str, key: str) -> float:
    if name not in table:
        raise _fault("sealed policy", key, f"has no number for {shown(name)}")
    return table[name]


def _clamped(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])
