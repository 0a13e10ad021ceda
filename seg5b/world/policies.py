"""The policies of a world: the shipped ones, and under derived_v1 copies in which what follows from the world is set.

Law: docs/laws#world-policies. Nothing is switched off, and every changed value is listed with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from seg5b.contracts import ContractSource, load_yaml, yaml_text
from seg5b.errors import PolicyError, WorldError
from seg5b.policy import ADDITIONS, RECORDS
from seg5b.spelling import is_there, now
from seg5b.world import portable
from seg5b.world.identity import shipped_policies
from seg5b.world.plan import HOUR_S, WorldPlan
from seg5b.world.vocabulary import SHARED_LEVELS, TWO_LEVEL

FOLDER = "config/layer2/5B"
LGCP, COUNT = "arrival_lgcp_config_5B", "arrival_count_config_5B"
GRID, GROUPING = "time_grid_policy_5B", "grouping_policy_5B"
ROUTING, PLACEMENT = "arrival_routing_policy_5B", "arrival_time_placement_policy_5B"
_SIGMA, _LENGTH, _KAPPA = "hyperparam_law.sigma", "hyperparam_law.length_scale_buckets", "nb2.kappa_law"
_MAY_BE_NEW = (f"{_SIGMA}.channel_multipliers.",)
"""How keys begin that the shipped policies need not have, beside those that this engine adds."""
VALIDATION, RNG = "validation_policy_5B", "arrival_rng_policy_5B"
_FOLLOWED = (0.01, 1000.0)
"""Parts of the reference mean between which dispersion is to follow the mean of a cell."""


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One value of a policy of the world that is not the shipped one, and why."""

    policy: str
    key: str
    shipped: Any
    value: Any
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """For the world report."""
        return asdict(self)


@dataclass(slots=True)
class PolicySet:
    """Policies of 5B being set for one world, parsed, by name; ``stated`` by the specification, which nothing changes."""

    parsed: dict[str, dict[str, Any]]
    stated: Mapping[str, Mapping[str, Any]]
    changes: list[PolicyChange] = field(default_factory=list)

    def get(self, policy: str, key: str) -> Any:
        """Value of a dotted key; of an added one that is not there, what that means."""
        try:
            holder, last = self._holder(policy, key)
            return holder[last]
        except KeyError:
            return ADDITIONS[policy].keys[key]

    def set(self, policy: str, key: str, value: Any, reason: str) -> None:
        """Set a dotted key, unless the specification states it or it has the value already."""
        if key not in self._said(policy):
            self._put(policy, key, value, reason)

    def _said(self, policy: str) -> dict[str, Any]:
        """What the specification states of a policy, under the keys of today. Raises `ValueError` as `seg5b.spelling.now`."""
        return {
            new: said for key, value in self.stated.get(policy, {}).items() for new, said in now(policy, key, value)
        }

    def state(self) -> None:
        """Set what the specification states, in either spelling. Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` for a key that a
        policy does not have."""
        for policy, values in self.stated.items():
            for key, value in values.items():
                try:
                    for new, said in now(policy, key, value):
                        self._put(policy, new, said, "stated in the specification")
                except ValueError as cause:
                    where = f"policies.{policy}.{key}"
                    raise WorldError(
                        "5B.WORLD.SPEC_INVALID", f"{where}: {cause}", where=where, remedy="revise it"
                    ) from cause
                except (KeyError, IndexError, TypeError) as cause:
                    raise WorldError(
                        "5B.WORLD.SPEC_INVALID",
                        f"policies.{policy}.{key}: the policy has no such key",
                        where=f"policies.{policy}.{key}",
                        remedy=f"use a dotted key of {FOLDER}/{policy}.yaml",
                    ) from cause

    def _put(self, policy: str, key: str, value: Any, reason: str) -> None:
        below = [added for added in ADDITIONS[policy].keys if added.startswith(f"{key}.")]
        if isinstance(value, Mapping) and below and not is_there(self.parsed[policy], key):
            for name, part in value.items():
                self._put(policy, f"{key}.{name}", part, reason)
            return
        before = self._before(policy, key)
        if before != value:
            holder, last = self._holder(policy, key, make=self._is_added(policy, key))
            holder[last] = value
            self._note(PolicyChange(policy, key, before, value, reason))

    def _before(self, policy: str, key: str) -> Any:
        """Value of a key, None of one that may be new."""
        try:
            return self.get(policy, key)
        except KeyError:
            if self._is_added(policy, key) or key.startswith(_MAY_BE_NEW):
                return None
            raise

    def _is_added(self, policy: str, key: str) -> bool:
        """Whether a key, or what holds it, is one that this engine adds."""
        return any(key == added or key.startswith(f"{added}.") for added in ADDITIONS[policy].keys)

    def _holder(self, policy: str, key: str, *, make: bool = False) -> tuple[Any, Any]:
        """What holds the last part of a key, and that part; digits count the entries of a list. ``make``: with the blocks that
        are not there yet."""
        *parents, last = [int(part) if part.isdigit() else part for part in key.split(".")]
        holder: Any = self.parsed[policy]
        for part in parents:
            holder = holder.setdefault(part, {}) if make else holder[part]
        return holder, last

    def _note(self, change: PolicyChange) -> None:
        """List a change; one that was changed before keeps what was shipped."""
        for place, earlier in enumerate(self.changes):
            if (earlier.policy, earlier.key) == (change.policy, change.key):
                reasons = dict.fromkeys((*earlier.reason.split("; "), change.reason))
                self.changes[place] = replace(change, shipped=earlier.shipped, reason="; ".join(reasons))
                return
        self.changes.append(change)

    def lower(self, policy: str, key: str, value: float, reason: str) -> None:
        """Lower a number to ``value`` where it is above."""
        self.set(policy, key, min(self.get(policy, key), value), reason)

    def raise_to(self, policy: str, key: str, value: float, reason: str) -> None:
        """Raise a number to ``value`` where it is below."""
        self.set(policy, key, max(self.get(policy, key), value), reason)

    def admit(self, policy: str, key: str, value: float, reason: str) -> None:
        """Widen bounds so that they hold ``value``."""
        low, high = self.get(policy, key)
        self.set(policy, key, [min(low, value), max(high, value)], reason)

    def admit_between(self, policy: str, keys: str, value: float, reason: str) -> None:
        """Widen two numbers, ``min`` and ``max`` in ``keys``, so that ``value`` lies between them."""
        self.lower(policy, keys.format("min"), value, reason)
        self.raise_to(policy, keys.format("max"), value, reason)

    def scale(self, policy: str, key: str, factor: float, reason: str) -> None:
        """Multiply a number, or both bounds."""
        value = self.get(policy, key)
        self.set(policy, key, [each * factor for each in value] if isinstance(value, list) else value * factor, reason)


def read_policies(config_root: Path, stated: Mapping[str, Mapping[str, Any]]) -> PolicySet:
    """The shipped policies of 5B, parsed."""
    names = sorted(path.stem for path in (config_root / FOLDER).glob("*.yaml"))
    return PolicySet({name: load_yaml(config_root / FOLDER / f"{name}.yaml") for name in names}, stated)


def policy_bytes(policies: PolicySet, config_root: Path) -> dict[str, bytes]:
    """Bytes of all policies by path: as shipped where nothing was set. Raises as `shipped_policies`."""
    content = shipped_policies(config_root)
    for name in sorted({change.policy for change in policies.changes}):
        title = "# As shipped but for what reports/world_report.json lists under policy_changes.\n"
        content[f"{FOLDER}/{name}.yaml"] = (title + yaml_text(policies.parsed[name])).encode()
    return content


def check_policies(content: Mapping[str, bytes]) -> None:
    """Read every policy of 5B as its state will. Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` where one is refused."""
    with TemporaryDirectory() as folder:
        for name in (name for name in RECORDS if name.endswith("_5B")):
            path = Path(folder) / f"{name}.yaml"
            path.write_bytes(content[f"{FOLDER}/{name}.yaml"])
            try:
                RECORDS[name].load(path, ContractSource.packaged())
            except PolicyError as cause:
                key = f"policies.{name}"
                what = f"{key}: the values make no policy: {cause.what}"
                raise WorldError("5B.WORLD.SPEC_INVALID", what, where=key, remedy=cause.remedy) from cause


def set_from_plan(policies: PolicySet, plan: WorldPlan) -> None:
    """What follows from the specification alone."""
    document = plan.document
    _set_grid(policies, plan)
    hourly = HOUR_S / plan.bucket_seconds
    if hourly > 1:
        reason = f"{plan.bucket_seconds} s buckets: the same correlation in hours"
        for key in (
            "kernel.length_scale_buckets_bounds",
            f"{_LENGTH}.length_scale_bounds",
            "realism_floors.require_baseline_median_L_bounds",
        ):
            policies.scale(LGCP, key, hourly, reason)
        for band in ("baseline", "stress"):
            policies.scale(LGCP, f"{_LENGTH}.base_by_scenario_band.{band}", hourly, reason)
        reason = f"{plan.bucket_seconds} s buckets: counts of an hour keep their variance"
        for key in (f"{_KAPPA}.kappa_bounds", "realism_floors.baseline_median_kappa_bounds"):
            policies.scale(COUNT, key, 1 / hourly, reason)
        for band in ("baseline", "stress"):
            policies.scale(COUNT, f"{_KAPPA}.base_by_scenario_band.{band}", 1 / hourly, reason)
    _set_latent(policies, document["latent"], hourly)
    _set_placement(policies, document["placement"])
    _set_dispersion(policies, document["dispersion"], hourly)
    _set_channels(policies, document.get("channels", {}))
    _set_hybrid(policies, document["virtual"]["hybrid_probability"])
    _set_targets(policies, document["targets"])


def _set_grid(policies: PolicySet, plan: WorldPlan) -> None:
    policies.set(GRID, "bucket_duration_seconds", plan.bucket_seconds, "bucket_seconds of the specification")
    checked = "structural_checks.s1_time_grid.max_buckets_per_scenario"
    reason = f"the horizon has {plan.hours} hours in {plan.buckets} buckets"
    for key, value, choose in (
        ("min_horizon_days", plan.days, min),
        ("max_horizon_days", plan.days + 1, max),
        ("max_buckets_per_scenario", plan.buckets, max),
    ):
        policies.set(GRID, f"guardrails.{key}", choose(policies.get(GRID, f"guardrails.{key}"), value), reason)
    policies.raise_to(VALIDATION, checked, plan.buckets, reason)


def _set_latent(policies: PolicySet, latent: Mapping[str, Any], hourly: float) -> None:
    model = latent.get("model")
    if model:
        policies.set(LGCP, "latent_model_id", model, "latent.model")
        kind = "iid_v1" if model == "log_gaussian_iid_v1" else "ou_ar1_buckets_v1"
        policies.set(
            LGCP, "kernel.kind", kind if model != "none" else policies.get(LGCP, "kernel.kind"), "latent.model"
        )
    for band, sigma in latent.get("sigma", {}).items():
        policies.set(LGCP, f"{_SIGMA}.base_by_scenario_band.{band}", sigma, "latent.sigma")
    for band, hours in latent.get("length_hours", {}).items():
        policies.set(LGCP, f"{_LENGTH}.base_by_scenario_band.{band}", hours * hourly, "latent.length_hours")
    _widen(policies, LGCP, f"{_SIGMA}.sigma_bounds", latent.get("sigma", {}).values(), 4.0, "latent.sigma")
    lengths = [hours * hourly for hours in latent.get("length_hours", {}).values()]
    if model == TWO_LEVEL:
        levels = _levels(latent.get("levels", {}), hourly)
        policies.set(LGCP, "levels", levels, "latent.levels")
        shared = [each["length_buckets"] for each in levels.values()]
        _widen(policies, LGCP, "kernel.length_scale_buckets_bounds", shared, 1.0, "latent.levels")
    for key in ("kernel.length_scale_buckets_bounds", f"{_LENGTH}.length_scale_bounds"):
        _widen(policies, LGCP, key, lengths, 2.0, "latent.length_hours")


def _levels(stated: Mapping[str, Any], hourly: float) -> dict[str, dict[str, float]]:
    """What series share, as the policy has it: what the specification states, else what public figures suggest."""
    found = {}
    for name, usual in SHARED_LEVELS.items():
        level = {**usual, **stated.get(name, {})}
        found[name] = {"variance_share": level["variance_share"], "length_buckets": level["length_hours"] * hourly}
    return found


def _set_placement(policies: PolicySet, placement: Mapping[str, Any]) -> None:
    for key, law in now(PLACEMENT, "placement.law", placement.get("law")) if "law" in placement else ():
        policies.set(PLACEMENT, key, law, "placement.law")


def _set_dispersion(policies: PolicySet, dispersion: Mapping[str, Any], hourly: float) -> None:
    policies.set(COUNT, "count_law_id", dispersion.get("law", policies.get(COUNT, "count_law_id")), "dispersion.law")
    kappas = {band: kappa / hourly for band, kappa in dispersion.get("kappa", {}).items()}
    for band, kappa in kappas.items():
        policies.set(COUNT, f"{_KAPPA}.base_by_scenario_band.{band}", kappa, "dispersion.kappa")
    _widen(policies, COUNT, f"{_KAPPA}.kappa_bounds", kappas.values(), 3.0, "dispersion.kappa")
    if "volume_power" in dispersion:
        _set_volume_power(policies, dispersion["volume_power"], hourly)


def _set_volume_power(policies: PolicySet, stated: Mapping[str, float], hourly: float) -> None:
    """The reference mean of a bucket, and bounds that let the dispersion of every class follow the means around it."""
    reason, power = "dispersion.volume_power", stated["power"]
    volume = {"reference_mean": stated["reference_mean"] / hourly, "power": power}
    policies.set(COUNT, f"{_KAPPA}.volume_power", volume, reason)
    reach = portable.power(np.array(_FOLLOWED), power).tolist()
    bases = policies.get(COUNT, f"{_KAPPA}.base_by_scenario_band").values()
    _widen(policies, COUNT, f"{_KAPPA}.kappa_bounds", [base * part for base in bases for part in reach], 3.0, reason)


def _widen(policies: PolicySet, policy: str, key: str, values: Any, room: float, reason: str) -> None:
    """Bounds that admit the stated values times the multipliers of classes, which lie within a factor of ``room``."""
    low, high = policies.get(policy, key)
    for value in values:
        low, high = min(low, value / room), max(high, value * room)
    policies.set(policy, key, [low, high], reason)


def _set_channels(policies: PolicySet, channels: Mapping[str, Any]) -> None:
    known = policies.get(LGCP, f"{_SIGMA}.channel_multipliers")
    for name, channel in channels.items():
        value = channel.get("sigma_multiplier", known.get(name, 1.0))
        policies.set(LGCP, f"{_SIGMA}.channel_multipliers.{name}", value, f"channels.{name}")
    for place, family in enumerate(policies.get(RNG, "families") if channels else ()):
        if family["domain_key_law"] == "merchant_zone_bucket":
            reason = "a merchant may sell through several channels in one zone: streams by channel"
            policies.set(RNG, f"families.{place}.domain_key_law", "merchant_zone_channel_bucket", reason)


def _set_hybrid(policies: PolicySet, probability: float) -> None:
    policies.set(ROUTING, "hybrid_policy.p_virtual_hybrid", probability, "virtual.hybrid_probability")
    low, high = policies.get(ROUTING, "realism_floors.hybrid_p_virtual_bounds")
    bounds = [min(low, probability), max(high, probability)]
    policies.set(ROUTING, "realism_floors.hybrid_p_virtual_bounds", bounds, "virtual.hybrid_probability")


def _set_targets(policies: PolicySet, targets: Mapping[str, Any]) -> None:
    for name, value in targets.items():
        ends = isinstance(value, list)
        old = f"calibration_sentinels.b.{name}_bounds" if ends else f"calibration_sentinels.b.{name}"
        for key, said in now(VALIDATION, old, value):
            policies.set(VALIDATION, key, said, f"targets.{name}")
