"""What S0 seals: 52 artefacts and how each is treated, as one table (docs/laws#sealed-artefacts).

Paths, schema references, owners, manifest keys and teams come from the contracts; the columns below are law.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["dataset", "policy", "validation_bundle", "validation_flag"]
Scope = Literal["ROW_LEVEL", "METADATA_ONLY"]
DigestLaw = Literal["bundle", "policy", "content", "structural"]

SEGMENTS: Final = ("1A", "1B", "2A", "2B", "3A", "3B", "5A")
SCENARIO_MANIFEST: Final = "scenario_manifest_5A"


@dataclass(frozen=True, slots=True)
class Artefact:
    """One row of the table.

    ``required``: absence stops S0; an absent optional artefact simply has no row.
    ``digest``: ``bundle`` = verified digest of the segment, ``policy`` and ``content`` = SHA-256 of bytes,
    ``structural`` = digest of the contract entry alone, data bytes are not looked at.
    ``content``: 5B reads its bytes, so `sealed_content_5B` lists every file behind it (law L2).
    """

    artifact_id: str
    role: Role
    required: bool
    scope: Scope
    digest: DigestLaw
    content: bool

    @property
    def status(self) -> Literal["REQUIRED", "OPTIONAL"]:
        """Status column of the sealed row."""
        return "REQUIRED" if self.required else "OPTIONAL"


def _bundle(segment: str) -> tuple[Artefact, ...]:
    names: tuple[tuple[str, Role], ...] = (
        (f"validation_bundle_{segment}", "validation_bundle"),
        (f"validation_passed_flag_{segment}", "validation_flag"),
    )
    return tuple(Artefact(name, role, True, "METADATA_ONLY", "bundle", content=False) for name, role in names)


def _policy(artifact_id: str, *, required: bool = True) -> Artefact:
    return Artefact(artifact_id, "policy", required, "ROW_LEVEL", "policy", content=True)


def _data(
    artifact_id: str,
    digest: DigestLaw = "structural",
    *,
    scope: Scope = "METADATA_ONLY",
    required: bool = True,
    content: bool = True,
) -> Artefact:
    return Artefact(artifact_id, "dataset", required, scope, digest, content)


ARTEFACTS: Final[tuple[Artefact, ...]] = (
    *(row for segment in SEGMENTS for row in _bundle(segment)),
    _data("site_locations"),
    _data("site_timezones"),
    _data("tz_timetable_cache", "content", required=False),
    _policy("alias_layout_policy_v1"),
    _policy("route_rng_policy_v1"),
    _data("s1_site_weights"),
    _data("s2_alias_blob"),
    _data("s2_alias_index"),
    _data("s3_day_effects", content=False),
    _data("s4_group_weights"),
    _data("zone_alloc"),
    _data("zone_alloc_universe_hash", "content"),
    _data("edge_alias_blob_3B"),
    _data("edge_alias_index_3B"),
    _data("edge_catalogue_3B"),
    _data("edge_catalogue_index_3B", content=False),
    _data("edge_universe_hash_3B", "content"),
    _data("virtual_classification_3B", scope="ROW_LEVEL"),
    _data("virtual_routing_policy_3B", "content"),
    _data("virtual_settlement_3B", required=False),
    _data("virtual_validation_contract_3B", "content", content=False),
    _data("class_zone_shape_5A", content=False),
    _data("merchant_zone_baseline_local_5A", content=False),
    _data("merchant_zone_overlay_factors_5A", required=False, content=False),
    _data("merchant_zone_profile_5A", scope="ROW_LEVEL"),
    _data("merchant_zone_scenario_local_5A", scope="ROW_LEVEL"),
    _data("merchant_zone_scenario_utc_5A", required=False, content=False),
    _data(SCENARIO_MANIFEST, "content", scope="ROW_LEVEL"),
    _data("shape_grid_definition_5A", content=False),
    _policy("arrival_count_config_5B"),
    _policy("arrival_lgcp_config_5B"),
    _policy("arrival_rng_policy_5B"),
    _policy("arrival_routing_policy_5B"),
    _policy("arrival_time_placement_policy_5B"),
    _policy("bundle_layout_policy_5B", required=False),
    _policy("grouping_policy_5B"),
    _policy("time_grid_policy_5B"),
    _policy("validation_policy_5B"),
)

POLICIES_OF_STATES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("S1", ("time_grid_policy_5B", "grouping_policy_5B")),
    ("S2", ("arrival_lgcp_config_5B", "arrival_rng_policy_5B")),
    ("S3", ("arrival_count_config_5B",)),
    ("S4", ("arrival_time_placement_policy_5B", "arrival_routing_policy_5B", "alias_layout_policy_v1")),
)
"""Policies that each state is the first to read, in order: what it makes follows from them and those above."""

BY_ID: Final = {artefact.artifact_id: artefact for artefact in ARTEFACTS}


def is_upstream_dataset(dataset_id: str) -> bool:
    """Whether S0 seals this id as a dataset of another segment (not a policy, a bundle, or a dataset of 5B)."""
    return dataset_id in BY_ID and BY_ID[dataset_id].role == "dataset"


def owner_layer(segment: str) -> str:
    """``layer1`` .. ``layer3`` of a segment id, ``engine`` for anything else (docs/laws#contract-layouts)."""
    layers = {"1": "layer1", "2": "layer1", "3": "layer1", "4": "layer1", "5": "layer2", "6": "layer3"}
    known = len(segment) == 2 and segment[1] in "AB"
    return layers.get(segment[0], "engine") if known else "engine"
