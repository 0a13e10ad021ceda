"""Random-number policy: the families that may draw and the domains they draw from (law L4, docs/laws#domain-keys)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.policy.additions import Additions
from seg5b.policy.reading import PolicyFile

LATENT = "S2.latent_vector.v1"
BUCKET_COUNT = "S3.bucket_count.v1"
TIME_JITTER = "S4.arrival_time_jitter.v1"
SITE_PICK = "S4.arrival_site_pick.v1"
EDGE_PICK = "S4.arrival_edge_pick.v1"
EDGE_TEMPER = "S4.arrival_edge_temper.v1"

_LATENT_DRAWS = {
    "kind": "box_muller_u2_vector",
    "uniforms_per_standard_normal": 2,
    "latent_dims": "horizon_buckets_H",
}
_COUNT_DRAWS = {"kind": "by_count_law", "when_lambda_zero": 0, "laws": {"poisson": 1, "nb2": 2}}
# family -> module, substream label, draws law
_EXPECTED: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    LATENT: ("5B.S2", "latent_vector", _LATENT_DRAWS),
    BUCKET_COUNT: ("5B.S3", "bucket_count", _COUNT_DRAWS),
    TIME_JITTER: ("5B.S4", "arrival_time_jitter", {"kind": "fixed", "draws_u64": 1}),
    SITE_PICK: ("5B.S4", "arrival_site_pick", {"kind": "fixed", "draws_u64": 2}),
    EDGE_PICK: ("5B.S4", "arrival_edge_pick", {"kind": "fixed", "draws_u64": 1}),
    EDGE_TEMPER: ("5B.S4", "arrival_edge_temper", {"kind": "fixed", "draws_u64": 2}),
}
ADDITIONS = Additions(
    values={"families.[].domain_key_law": {"merchant_zone_channel_bucket": "merchant_zone_bucket"}},
    items={"families": ("family_id", {EDGE_TEMPER: f"domain_key_law of {EDGE_PICK}"})},
)
"""What this policy may state beyond the reference engine's (docs/laws#policy-additions)."""


@dataclass(frozen=True, slots=True)
class RngFamily:
    """One family: the module and substream it is logged under, and the law of its domain key
    (``group_id``, ``merchant_zone_bucket`` or ``merchant_zone_channel_bucket``)."""

    family_id: str
    module: str
    substream_label: str
    domain_key_law: str


@dataclass(frozen=True, slots=True)
class RngPolicy:
    """Domain separator of the derivation message, and the six families by ``family_id``; that of tempering has the
    domain key law of the edge picks where a policy does not name it."""

    domain_sep: str
    families: Mapping[str, RngFamily]

    @property
    def bucket_key_law(self) -> str:
        """The one domain key law of S3 and S4."""
        return self.families[BUCKET_COUNT].domain_key_law

    @classmethod
    def load(cls, path: Path, contracts: ContractSource, state: str = "S2") -> RngPolicy:
        """Read ``arrival_rng_policy_5B`` on behalf of a state (``S2``, ``S3`` or ``S4``).

        Raises `PolicyError` ``5B.<state>.RNG_POLICY_INVALID``: also for a family that is missing, repeated, unknown,
        or declared with another module, label or number of draws than the code consumes, and for S3 and S4 families
        whose domain key laws differ.
        """
        file = PolicyFile.read(
            path, contracts, "arrival_rng_policy_5B", code=f"5B.{state}.RNG_POLICY_INVALID", additions=ADDITIONS
        )
        families: dict[str, RngFamily] = {}
        for declared in file.value("families"):
            family = _family(file, declared)
            if family.family_id in families:
                raise file.fault("families", f"lists {family.family_id} twice", "keep one declaration")
            families[family.family_id] = family
        absent = [family_id for family_id in _EXPECTED if family_id not in families and family_id != EDGE_TEMPER]
        if absent:
            raise file.fault(
                "families", f"lacks {', '.join(absent)}", "declare the five families of the shipped policy"
            )
        if EDGE_TEMPER not in families:
            module, label, _ = _EXPECTED[EDGE_TEMPER]
            families[EDGE_TEMPER] = RngFamily(EDGE_TEMPER, module, label, families[EDGE_PICK].domain_key_law)
        _check_laws(file, families)
        return cls(file.text("derivation.domain_sep"), families)


def _family(file: PolicyFile, declared: Mapping[str, Any]) -> RngFamily:
    family_id = declared["family_id"]
    key = f"families[{family_id}]"
    if family_id not in _EXPECTED:
        raise file.fault(key, "is a family that nothing draws from", "remove it")
    module, label, draws = _EXPECTED[family_id]
    wanted = {"module": module, "substream_label": label, "draws_u64_law": dict(draws)}
    for name, value in wanted.items():
        if declared[name] != value:
            raise file.fault(f"{key}.{name}", f"is {declared[name]!r}", f"the law is {value!r}")
    return RngFamily(family_id, module, label, declared["domain_key_law"])


def _check_laws(file: PolicyFile, families: Mapping[str, RngFamily]) -> None:
    if families[LATENT].domain_key_law != "group_id":
        raise file.fault(f"families[{LATENT}].domain_key_law", "is not group_id", "set it to group_id")
    laws = {family.domain_key_law for family in families.values() if family.family_id != LATENT}
    if len(laws) != 1 or "group_id" in laws:
        raise file.fault(
            "families",
            f"gives S3 and S4 the domain key laws {', '.join(sorted(laws))}",
            "give all of them merchant_zone_bucket, or all merchant_zone_channel_bucket",
        )
