"""Identity of a world: its hashes follow from the policies, the preset and the arguments, never from a clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.canonical_json import canonical_json
from seg5b.errors import WorldError
from seg5b.hashing import sha256_hex
from seg5b.policy.documentation import without_documentation
from seg5b.tzdb import open_tzdb
from seg5b.world.plan import CALIBRATED, DERIVED, PRESET_FIELDS, WorldPlan
from seg5b.world.spec.source import stated

WORLD_LAWS = {CALIBRATED: "seg5b.world.v1", DERIVED: "seg5b.world.v2"}
"""By law of generation. One changes whenever the same arguments would make other bytes."""
CREATED_UTC = "2026-01-01T00:00:00.000000Z"
"""Every creation time in a world: a clock would make two equal worlds differ."""

_ALIAS_LAYOUT = "config/layer1/2B/policy/alias_layout_policy_v1.json"
POLICY_PATHS = (
    _ALIAS_LAYOUT,
    "config/layer1/2B/policy/route_rng_policy_v1.json",
    "config/layer2/5B/arrival_count_config_5B.yaml",
    "config/layer2/5B/arrival_lgcp_config_5B.yaml",
    "config/layer2/5B/arrival_rng_policy_5B.yaml",
    "config/layer2/5B/arrival_routing_policy_5B.yaml",
    "config/layer2/5B/arrival_time_placement_policy_5B.yaml",
    "config/layer2/5B/bundle_layout_policy_5B.yaml",
    "config/layer2/5B/grouping_policy_5B.yaml",
    "config/layer2/5B/time_grid_policy_5B.yaml",
    "config/layer2/5B/validation_policy_5B.yaml",
)


@dataclass(frozen=True, slots=True)
class WorldIdentity:
    """Run id (32 hex digits), the two hashes (64 hex digits), the seeds, and the bytes of the policies by path, without
    their documentation lines."""

    run_id: str
    parameter_hash: str
    manifest_fingerprint: str
    seeds: tuple[int, ...]
    policies: Mapping[str, bytes]


def world_law(plan: WorldPlan) -> str:
    """Name and version of the law by which a plan is made."""
    return WORLD_LAWS[plan.law]


CLASSIC_FOLDER = "config/worlds/classic_policies"
"""The policies that have changed since the worlds of `CALIBRATED` came to be, as they were then. They are never changed."""


def shipped_policies(config_root: Path, law: str = DERIVED) -> dict[str, bytes]:
    """Bytes of the policies that a world of a law starts from, by path: those that are shipped, or, under `CALIBRATED`, those
    of its time. Raises `WorldError` ``5B.WORLD.POLICY_MISSING`` when one is not there."""
    return {path: _policy_bytes(config_root / _source(path, law)) for path in POLICY_PATHS}


def _source(path: str, law: str) -> str:
    is_classic = law == CALIBRATED and path != _ALIAS_LAYOUT
    return f"{CLASSIC_FOLDER}/{path.rpartition('/')[2]}" if is_classic else path


def make_identity(
    plan: WorldPlan, seeds: Sequence[int], unique_keys: bool, policies: Mapping[str, bytes]
) -> WorldIdentity:
    """Identity of the world that these arguments make (docs/laws#world-identity).

    Raises `WorldError` ``5B.WORLD.SEED_INVALID`` for no seed, a repeated one, or one that is not an unsigned 64-bit
    integer.
    """
    _check_seeds(seeds)
    database = open_tzdb(plan.time_zone_release)
    parameters = {
        "world_law": world_law(plan),
        **_subject(plan),
        "policies": {path: sha256_hex(content) for path, content in policies.items()},
        "tzdb": [database.release, database.sha256()],
    }
    parameter_hash = sha256_hex(canon(parameters))
    named: dict[str, Any] = {"parameter_hash": parameter_hash, "name": plan.name}
    if plan.law == CALIBRATED:
        named = {
            "parameter_hash": parameter_hash,
            "preset": plan.name,
            "seeds": list(seeds),
            "unique_keys": unique_keys,
        }
    fingerprint = sha256_hex(canon(named))
    moment = fingerprint if plan.law == CALIBRATED else f"{fingerprint}|{','.join(map(str, seeds))}"
    run_id = _run_id(fingerprint, seeds[0], moment)
    return WorldIdentity(run_id, parameter_hash, fingerprint, tuple(seeds), policies)


def _subject(plan: WorldPlan) -> dict[str, Any]:
    """What a plan was made from: the stated fields of a preset; or the digest of what the specification states beyond
    defaults, in which tables have digests, and the shares of zones, which may come from shipped data."""
    if plan.law == CALIBRATED:
        return {"preset": {name: getattr(plan, name) for name in PRESET_FIELDS}}
    return {"spec_sha256": sha256_hex(canon(stated(plan.document))), "zone_shares": dict(plan.zone_shares or {})}


def canon(value: Any) -> bytes:
    """Canonical JSON of a world's document; what JSON does not know is written as its text."""
    return canonical_json(value, default=str)


def _run_id(fingerprint: str, seed: int, moment: str) -> str:
    """Law of docs/laws#run-receipt; the time in it is hashed from ``moment`` instead of read from a clock."""
    moment_ns = int.from_bytes(hashlib.sha256(f"time|{moment}".encode()).digest()[:8], "big") >> 1
    name = b"run:1A"
    message = len(name).to_bytes(4, "big") + name + bytes.fromhex(fingerprint)
    message += seed.to_bytes(8, "little") + moment_ns.to_bytes(8, "little")
    return hashlib.sha256(message).hexdigest()[:32]


def _check_seeds(seeds: Sequence[int]) -> None:
    wrong = [seed for seed in seeds if isinstance(seed, bool) or not 0 <= seed < 2**64]
    if not seeds or wrong or len(set(seeds)) != len(seeds):
        raise WorldError(
            "5B.WORLD.SEED_INVALID",
            f"seeds {list(seeds)} are not distinct unsigned 64-bit integers",
            where="seeds",
            remedy="name each seed once, from 0 to 2^64 - 1",
        )


def _policy_bytes(path: Path) -> bytes:
    try:
        return without_documentation(path.read_bytes())
    except OSError as cause:
        raise WorldError(
            "5B.WORLD.POLICY_MISSING",
            f"cannot read the policy: {cause.strerror}",
            where=str(path),
            remedy="reinstall the package; the policies are part of it",
        ) from cause
