"""What is sealed must be there, and policies must be what the dictionary declares."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seg5b.contracts import ContractSource
from seg5b.errors import ContractError, GateError, InputError, PolicyError, PublishError, RunError
from seg5b.gate import open_gate, run_gate
from seg5b.gate.catalogue import ARTEFACTS
from seg5b.policy import ADDITIONS
from seg5b.resources import resource_root
from seg5b.runs import RunRoot

INCOMPLETE, INVALID = "5B.S0.SEALED_INPUTS_INCOMPLETE", "5B.S0.SEALED_INPUTS_SCHEMA_INVALID"
REQUIRED_FILES = [
    artefact.artifact_id
    for artefact in ARTEFACTS
    if artefact.required and artefact.role in ("dataset", "policy") and artefact.artifact_id != "scenario_manifest_5A"
]


def _per_scenario(world, artifact_id: str) -> bool:
    return "scenario_id" in world.contracts.dictionary("5B").entry(artifact_id).tokens


def _remove(world, artifact_id: str) -> None:
    place = world.place(artifact_id, "stress_v1" if _per_scenario(world, artifact_id) else None)
    shutil.rmtree(place) if place.is_dir() else place.unlink()


@pytest.mark.parametrize("artifact_id", REQUIRED_FILES)
def test_an_absent_required_input_is_named(world, artifact_id: str) -> None:
    _remove(world, artifact_id)
    error = world.refused(InputError, INCOMPLETE)
    assert artifact_id in error.what
    assert not _per_scenario(world, artifact_id) or "stress_v1" in error.where


def test_an_empty_folder_is_no_input(world) -> None:
    for path in world.place("zone_alloc").iterdir():
        path.unlink()
    assert "empty folder" in world.refused(InputError, INCOMPLETE).what


def test_a_file_of_zero_bytes_is_enough(world) -> None:
    world.place("edge_alias_blob_3B").write_bytes(b"")
    run_gate(world.root, world.contracts)


def test_a_linked_file_that_leaves_the_run_is_refused(world) -> None:
    path = world.place("s1_site_weights") / "part-00000.parquet"
    outside = world.root.path.parent / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    assert "leads outside" in world.refused(InputError, INCOMPLETE).what


def test_an_optional_input_that_leaves_the_run_is_not_taken_for_absent(world) -> None:
    folder = world.place("virtual_settlement_3B")
    outside = world.root.path.parent / "outside"
    folder.rename(outside)
    folder.symlink_to(outside)
    world.refused(RunError, "5B.RUN.PATH_ESCAPES")


@pytest.mark.parametrize("artifact_id", ["s1_site_weights", "s3_day_effects"])
def test_a_linked_folder_inside_a_dataset_is_refused(world, artifact_id: str) -> None:
    (world.place(artifact_id) / "more").symlink_to(world.place("zone_alloc"))
    assert "symbolic link more" in world.refused(InputError, INCOMPLETE).what


# --- policies --------------------------------------------------------------------------------------------------


def _edit(artifact_id: str, change: Callable[[bytes], bytes]) -> Callable:
    def apply(world) -> None:
        path = world.place(artifact_id)
        path.write_bytes(change(path.read_bytes()))

    return apply


BROKEN = {
    "yaml-not-utf8": (INVALID, _edit("grouping_policy_5B", lambda body: b"\xff" + body)),
    "yaml-truncated": (INVALID, _edit("grouping_policy_5B", lambda body: body + b"\nx: [1,")),
    "yaml-empty": (INVALID, _edit("grouping_policy_5B", lambda _: b"")),
    "yaml-list": (INVALID, _edit("grouping_policy_5B", lambda _: b"- 1\n")),
    "yaml-repeated-key": (INVALID, _edit("time_grid_policy_5B", lambda body: body + b"\nversion: v1.0.1\n")),
    "yaml-unknown-key": (INVALID, _edit("arrival_count_config_5B", lambda body: body + b"\nsurprise: 1\n")),
    "yaml-nan": (INVALID, _edit("arrival_count_config_5B", lambda body: body + b"\nsurprise: .nan\n")),
    "yaml-version": (INCOMPLETE, _edit("arrival_rng_policy_5B", lambda body: body.replace(b"v1.", b"v2."))),
    "json-truncated": (INVALID, _edit("route_rng_policy_v1", lambda body: body[:-5])),
    "json-repeated-key": (INVALID, _edit("route_rng_policy_v1", lambda body: body.replace(b"{", b'{"a":1,"a":2,', 1))),
    "json-unknown-key": (INVALID, _edit("alias_layout_policy_v1", lambda body: body.replace(b"{", b'{"a":1,', 1))),
    "json-no-version": (INCOMPLETE, _edit("route_rng_policy_v1", lambda _: b"{}")),
    "optional-policy-broken": (INVALID, _edit("bundle_layout_policy_5B", lambda _: b"[]")),
}


@pytest.mark.parametrize(("code", "damage"), BROKEN.values(), ids=BROKEN)
def test_a_broken_policy_is_refused(world, code: str, damage: Callable) -> None:
    damage(world)
    error = world.refused(PolicyError, code)
    assert "config/" in error.where


def test_the_copy_in_the_run_wins_over_an_external_root(world, tmp_path) -> None:
    path = world.place("grouping_policy_5B")
    external = world.write(
        tmp_path / "elsewhere/config/layer2/5B/grouping_policy_5B.yaml", path.read_bytes() + b"\n# x"
    )
    root = type(world.root)(world.root.path, world.root.identity, world.root.receipt, (tmp_path / "elsewhere",))
    run_gate(root, world.contracts)
    assert world.sha(path.read_bytes()) in world.sealed().read_text()
    assert world.sha(external.read_bytes()) not in world.sealed().read_text()


def test_a_policy_from_an_external_root_is_sealed(world, tmp_path) -> None:
    path = world.place("grouping_policy_5B")
    external = world.write(
        tmp_path / "elsewhere/config/layer2/5B/grouping_policy_5B.yaml", path.read_bytes() + b"\n# x"
    )
    path.unlink()
    root = type(world.root)(world.root.path, world.root.identity, world.root.receipt, (tmp_path / "elsewhere",))
    run_gate(root, world.contracts)
    assert world.sha(external.read_bytes()) in world.sealed().read_text()
    assert '"path":"config/layer2/5B/grouping_policy_5B.yaml"' in world.content().read_text()


def _looked_up(world, *folders: Path) -> RunRoot:
    return type(world.root)(world.root.path, world.root.identity, world.root.receipt, folders)


def _told(root: RunRoot, contracts: ContractSource) -> tuple[list[str], list[str], list[dict]]:
    """What S0 says, what it warns of, and what its record holds of policies."""
    said: list[str] = []
    warned: list[str] = []
    report = run_gate(root, contracts, note=said.append, warn=warned.append)
    return said, warned, report.summary["policies"]


def test_policies_of_the_run_are_nothing_to_warn_of(world) -> None:
    _, warned, recorded = _told(world.root, world.contracts)
    assert warned == [] and {each["source"] for each in recorded} == {"run"}
    assert len(recorded) == sum(artefact.role == "policy" for artefact in ARTEFACTS)


def test_policies_that_nobody_chose_are_warned_of(world, tmp_path) -> None:
    """An external root adds to those of the package: what it has comes before them."""
    grouping, grid = (world.place(name) for name in ("grouping_policy_5B", "time_grid_policy_5B"))
    world.write(tmp_path / "mine/config/layer2/5B/grouping_policy_5B.yaml", grouping.read_bytes() + b"\n# mine")
    grouping.unlink()
    grid.unlink()
    root = _looked_up(world, tmp_path / "mine", resource_root())
    _, warned, recorded = _told(root, world.contracts)
    sources = {each["policy"]: each["source"] for each in recorded}
    assert (sources["grouping_policy_5B"], sources["time_grid_policy_5B"]) == ("external", "packaged")
    assert len(warned) == 1 and "time_grid_policy_5B" in warned[0] and "grouping_policy_5B" not in warned[0]


def test_what_a_policy_leaves_out_is_told(world) -> None:
    """One line for each policy that does not state what this engine adds to it, with what holds instead."""
    path = world.place("arrival_routing_policy_5B")
    text = (resource_root() / "config/layer2/5B/arrival_routing_policy_5B.yaml").read_text()
    path.write_text(text + "optional_columns: {tz_group_id: true}\n")
    said, _, recorded = _told(world.root, world.contracts)
    (defaults,) = (each["defaults"] for each in recorded if each["policy"] == "arrival_routing_policy_5B")
    assert defaults["physical_router.tz_group_law"] == "zone_pinned_v1"
    assert defaults["hybrid_policy.virtual_share_profile"] is None
    assert "optional_columns.tz_group_id" not in defaults
    assert defaults == {key: ADDITIONS["arrival_routing_policy_5B"].keys[key] for key in defaults}
    (line,) = (each for each in said if each.startswith("arrival_routing_policy_5B "))
    assert "physical_router.tz_group_law = zone_pinned_v1" in line and "virtual_share_profile = none" in line
    assert not any(each.startswith("time_grid_policy_5B") for each in said)


REGISTRY = "artefact_registry/artefact_registry_5B.yaml"
DICTIONARY = "dataset_dictionary/l2/seg_5B/layer2.5B.yaml"
PACK = "schemas/layer2/schemas.5B.yaml"
BROKEN_CONTRACTS = {
    "registry-lacks-one": (REGISTRY, "name: zone_alloc\n", "name: zone_alloc_gone\n"),
    "dictionary-lacks-one": (DICTIONARY, "id: zone_alloc\n", "id: zone_alloc_gone\n"),
    "reference-to-nothing": (DICTIONARY, "schemas.3A.yaml#/egress/zone_alloc", "schemas.3A.yaml#/egress/nothing"),
    "registry-cut": (REGISTRY, "subsegments:", "subsegments: ["),
}


@pytest.mark.parametrize(("file", "old", "new"), BROKEN_CONTRACTS.values(), ids=BROKEN_CONTRACTS)
def test_an_incomplete_catalogue_stops_the_gate(world, tmp_path, file: str, old: str, new: str) -> None:
    world.with_contracts(tmp_path, file, old, new).refused(ContractError, "5B.S0.CATALOGUE_INCOMPLETE")


def test_every_dictionary_and_pack_must_be_there(world, tmp_path) -> None:
    other = world.with_contracts(tmp_path, DICTIONARY, "id: zone_alloc\n", "id: zone_alloc\n")
    (tmp_path / "contracts/dataset_dictionary/l1/seg_1A/layer1.1A.yaml").unlink()
    assert "layer1.1A.yaml" in other.refused(ContractError, "5B.S0.CATALOGUE_INCOMPLETE").what


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (
            "spec_version:\n        type: string\n",
            "spec_version:\n        type: integer\n",
            "GATE_RECEIPT_SCHEMA_INVALID",
        ),
        ("sealed_inputs_5B:\n    type: array", "sealed_inputs_5B:\n    type: object", "SEALED_INPUTS_SCHEMA_INVALID"),
    ],
)
def test_documents_that_do_not_fit_their_contract_are_not_published(sealed, tmp_path, old, new, code) -> None:
    other = sealed.with_contracts(tmp_path, PACK, old, new)
    other.refused(GateError, f"5B.S0.{code}", set_aside=True)
    assert not (sealed.root.path / "superseded").exists()


def test_a_gate_path_without_the_fingerprint_is_refused(world, tmp_path) -> None:
    old = "data/layer2/5B/sealed_inputs/manifest_fingerprint={manifest_fingerprint}/"
    other = world.with_contracts(tmp_path, DICTIONARY, old, "data/layer2/5B/sealed_inputs/")
    other.refused(PublishError, "5B.S0.IO_WRITE_CONFLICT")


def test_contracts_of_the_reference_do_not_know_the_content_list(world, tmp_path) -> None:
    other = world.with_contracts(tmp_path, DICTIONARY, "id: sealed_content_5B", "id: something_else")
    run_gate(world.root, other.contracts)
    assert world.content().is_file()
    open_gate(world.root, other.contracts, state="S4").verify("zone_alloc")
