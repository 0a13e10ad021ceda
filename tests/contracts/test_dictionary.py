"""Dictionary entries and their paths; the registry."""

from __future__ import annotations

import pytest

from seg5b.contracts import ContractSource
from seg5b.contracts.dictionary import parse_dictionary
from seg5b.contracts.registry import parse_registry
from seg5b.errors import ContractError
from seg5b.runs import RunIdentity

IDENTITY = RunIdentity("a" * 32, 42, "b" * 64, "c" * 64)


def test_it_lists_what_the_interface_lists(shipped: ContractSource) -> None:
    entries = shipped.dictionary().entries
    upstream = [entry for entry in entries.values() if entry.owner_subsegment != "5B"]
    policies = [entry for entry in entries.values() if entry.path.startswith("config/layer2/5B/")]
    assert len(upstream) == 43
    assert len(policies) == 9
    assert {entry.version for entry in policies} == {"v1"}
    assert entries["route_rng_policy_v1"].version == "{policy_version}"


def test_every_dataset_has_an_artefact(shipped: ContractSource) -> None:
    assert set(shipped.registry().artifacts) == set(shipped.dictionary().entries)
    keys = [artifact.manifest_key for artifact in shipped.registry().artifacts.values()]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("name", "manifest_key", "team", "semver"),
    [
        ("validation_bundle_1A", "mlr.1A.validation.bundle", "", "1.0"),
        ("site_locations", "mlr.1B.egress.site_locations", "mlr-1b-core", "1.0.0"),
        ("validation_passed_flag_2A", "mlr.2A.validation.passed", "mlr-2a-validation", "1.0.0"),
        ("alias_layout_policy_v1", "mlr.2B.policy.alias_layout_v1", "l1-2b-governance", "1.0.0"),
        ("validation_bundle_3A", "mlr.3A.validation.bundle", "mlr-3a-core", "1.0.0"),
        ("edge_universe_hash_3B", "mlr.3B.validation.edge_universe_hash", "", "1.0.0"),
        ("validation_bundle_5A", "mlr.5A.validation.bundle", "data-engineering", "1.0.0"),
        ("validation_policy_5B", "mlr.5B.config.validation_policy", "data-engineering", "1.0.0"),
    ],
)
def test_registry_facts(shipped: ContractSource, name: str, manifest_key: str, team: str, semver: str) -> None:
    artifact = shipped.registry().artifact(name)
    assert (artifact.manifest_key, artifact.owner_team, artifact.semver) == (manifest_key, team, semver)


def test_render(shipped: ContractSource) -> None:
    entry = shipped.dictionary().entry("s3_bucket_counts_5B")
    assert entry.tokens == ("seed", "manifest_fingerprint", "scenario_id")
    assert entry.render(IDENTITY.tokens("baseline_v1")) == (
        "data/layer2/5B/s3_bucket_counts/seed=42/manifest_fingerprint="
        + "c" * 64
        + "/scenario_id=baseline_v1/s3_bucket_counts_5B.parquet"
    )


def test_every_path_renders_from_the_run_identity(shipped: ContractSource) -> None:
    tokens = {**IDENTITY.tokens("s"), "utc_day": "2026-01-01"}
    rendered = [entry.render(tokens) for entry in shipped.dictionary().entries.values()]
    assert not [path for path in rendered if "{" in path or path.startswith("/") or ".." in path]
    assert len(set(rendered)) == len(rendered)


def test_partitions_are_in_the_path(shipped: ContractSource) -> None:
    for entry in shipped.dictionary().entries.values():
        assert set(entry.partitioning) == set(entry.tokens), entry.id


def test_render_needs_every_token(shipped: ContractSource) -> None:
    with pytest.raises(ContractError, match="scenario_id") as caught:
        shipped.dictionary().entry("s1_time_grid_5B").render(IDENTITY.tokens())
    assert caught.value.code == "5B.CONTRACT.PATH_TOKEN_MISSING"


@pytest.mark.parametrize("scenario_id", ["", " ", "..", "a/b", "a\\b", "../x", "a\nb", "{seed}"])
def test_render_refuses_values_that_change_the_path(shipped: ContractSource, scenario_id: str) -> None:
    with pytest.raises(ContractError) as caught:
        shipped.dictionary().entry("s1_time_grid_5B").render(IDENTITY.tokens(scenario_id))
    assert caught.value.code == "5B.CONTRACT.PATH_TOKEN_INVALID"


@pytest.mark.parametrize("what", ["dataset", "artefact"])
def test_unknown_names(shipped: ContractSource, what: str) -> None:
    with pytest.raises(ContractError, match="nope") as caught:
        shipped.dictionary().entry("nope") if what == "dataset" else shipped.registry().artifact("nope")
    assert caught.value.code == "5B.S0.CATALOGUE_INCOMPLETE"


GOOD = {"id": "d", "path": "data/d", "schema_ref": "schemas.5B.yaml#/x"}


@pytest.mark.parametrize(
    "items",
    [
        [GOOD, GOOD],
        [{**GOOD, "path": None}],
        [{**GOOD, "schema_ref": 3}],
        [{**GOOD, "partitioning": "seed"}],
        [{**GOOD, "primary_key": [1]}],
    ],
    ids=["twice", "no path", "schema not text", "partitioning text", "key not text"],
)
def test_bad_dictionaries(items: list[object]) -> None:
    assert parse_dictionary({"datasets": [GOOD]}, "5B", "x").entry("d").owner_subsegment == "5B"
    with pytest.raises(ContractError):
        parse_dictionary({"datasets": items}, "5B", "x")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"subsegments": [{"id": "5B"}]},
        {"subsegments": [{"artifacts": [{"name": "a"}]}]},
        {"subsegments": [{"artifacts": [{"name": "a", "manifest_key": "k"}] * 2}]},
    ],
    ids=["empty", "no artefacts", "no key", "twice"],
)
def test_bad_registries(document: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        parse_registry(document, "5B", "x")


@pytest.mark.parametrize(
    ("owner", "team"),
    [({"team": "t"}, "t"), ({"owner_team": "o"}, "o"), ({"qa_team": "q"}, ""), (None, ""), ("t", "")],
)
def test_owner_team(owner: object, team: str) -> None:
    artifact = {"name": "a", "manifest_key": "k", "owner": owner}
    registry = parse_registry({"subsegments": [{"artifacts": [artifact]}]}, "5B", "x")
    assert registry.artifact("a").owner_team == team
    assert registry.artifact("a").semver == ""
