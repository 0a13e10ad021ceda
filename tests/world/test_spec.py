"""Specifications: the presets are such, they resolve to one form, and what they say is what is made."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import seg5b
from seg5b.contracts import load_json
from seg5b.errors import WorldError
from seg5b.hashing import sha256_hex
from seg5b.resources import resource_root
from seg5b.world import PRESETS, World
from seg5b.world.identity import canon, make_identity, shipped_policies
from seg5b.world.plan import CALIBRATED, PRESET_FIELDS
from seg5b.world.spec import PRESET_NAMES, plan_of, preset_path, read_spec, resolved, source, with_values
from seg5b.world.spec.source import SCHEMA_PATH, assignments, schema, stated
from seg5b.world.spec.template import write_template

SHOPS: dict[str, Any] = {
    "name": "shops",
    "horizon": {"start": "2026-10-26T05:00:00Z", "days": 14},
    "places": {"countries": {"US": 3, "GB": 1}},
    "merchants": {"count": 10},
}
STATED = {
    "demo": "61c018dd0098b914450b29c02fa6850f55e41545e1334905e7794c5c8e29eaa9",
    "small": "f05b296ba79b5d609d5f5b7fee7fa3814d5042e6e8ea89d06844bdd4d844a6a2",
    "reference": "199e2ca098f979c665ca946d6b69ae2d5dab2eca4917575432e051284fb0ce51",
    "large": "73b167bd96166b1e29fdf09f1d1c94d35efcad09875d5a4a3ae6edab292b23c1",
    "demo_classic": "72457eb2b7bc7cc542d8a4841daf962b7853b0af40a93b56b7d3510a9d9acfc0",
    "small_classic": "8213eea0a6d8a3456ad66b3ce8728501e7209c9c7bb12bc6fc90dc6e86421545",
    "reference_classic": "2dc91eacae0472f053e8c2ddd9b0622d28ad324a822baeeb2bb63f7199bebb2f",
    "large_classic": "0826d7ecef27f0b62e2e0ad8fac491159e53a4e959ed1d5af44495a6cc0c82df",
    "reference_as_found": "2cb4821d41bb9ee4b41c591737df34c47f51bb9e5e5ae9f4653de2a2ce257d1c",
}
"""SHA-256 of the canonical JSON of what a preset states: part of its world's identity, so of every number."""


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_presets_state_what_they_stated(name: str) -> None:
    plan = PRESETS[name]
    classic = {field: getattr(plan, field) for field in PRESET_FIELDS}
    subject = classic if plan.law == CALIBRATED else stated(plan.document)
    assert sha256_hex(canon(subject)) == STATED[name]
    assert plan.name == name.removesuffix("_classic") and plan_of(read_spec(preset_path(name))) == plan


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(load_json(resource_root() / SCHEMA_PATH))


def test_every_key_of_the_schema_is_described() -> None:
    def undescribed(schema: Any, path: str) -> list[str]:
        if not isinstance(schema, dict):
            return []
        found = [] if "description" in schema or "$ref" in schema else [path]
        for key, child in schema.get("properties", {}).items():
            found += undescribed(child, f"{path}.{key}")
        for key in ("items", "additionalProperties"):
            found += undescribed(schema.get(key), f"{path}.{key}")
        return found

    schema = load_json(resource_root() / SCHEMA_PATH)
    assert undescribed(schema, "$") == []
    assert [name for name, child in schema["$defs"].items() if "description" not in child] == []


def test_writings_that_mean_the_same_are_the_same_world() -> None:
    spelled = {
        **SHOPS,
        "places": {"countries": {"US": 3.0, "GB": 1}},
        "horizon": {"days": 14, "start": "2026-10-26T05:00:00Z"},
        "seeds": [42],
        "volume": {"scale": 1.0},
    }
    assert canon(resolved(spelled)) == canon(resolved(SHOPS))  # 1 and 1.0 are equal to Python, not in JSON
    one, other = (World.from_mapping(document) for document in (SHOPS, spelled))
    assert one == other
    policies = shipped_policies(resource_root())
    identities = [make_identity(each.plan, (42,), False, policies) for each in (one, other)]
    assert identities[0] == identities[1]


def test_any_key_makes_another_world_but_seeds_and_nothing_else() -> None:
    policies = shipped_policies(resource_root())
    base = make_identity(World.from_mapping(SHOPS).plan, (42,), False, policies)
    for values in ({"merchants.count": 11}, {"volume.scale": 1.5}, {"merchants.sites": {"base": 5}}, {"name": "a"}):
        plan = World.from_mapping(with_values(SHOPS, values)).plan
        assert make_identity(plan, (42,), False, policies).parameter_hash != base.parameter_hash, values
    moved = replace(World.from_mapping(SHOPS).plan, zone_shares={"Europe/London": 1.0})  # other data than the shipped
    assert make_identity(moved, (42,), False, policies).parameter_hash != base.parameter_hash
    seeded = make_identity(World.from_mapping({**SHOPS, "seeds": [42, 7]}).plan, (42, 7), False, policies)
    assert seeded.manifest_fingerprint == base.manifest_fingerprint and seeded.run_id != base.run_id


def test_a_further_key_of_the_schema_leaves_worlds_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = shipped_policies(resource_root())
    spelled = {**SHOPS, "virtual": {"only": 0.05}}

    def identity() -> str:
        return make_identity(World.from_mapping(spelled).plan, (42,), False, policies).parameter_hash

    before = identity()
    later = copy.deepcopy(schema())
    for holder in (later, later["properties"]["virtual"], later["properties"]["volume"]):
        holder["properties"]["further"] = {"type": "object", "default": {}, "properties": {"x": {"default": 1}}}
    monkeypatch.setattr(source, "schema", lambda: later)
    assert "further" in World.from_mapping(spelled).document["virtual"] and identity() == before
    spelled["virtual"]["further"] = {"x": 2}
    assert identity() != before


def test_values_by_dotted_key() -> None:
    values = assignments(["merchants.count=50", "places.countries={GB: 1}", "scenarios=[{id: a}]", "scenarios.0.id=b"])
    changed = with_values(SHOPS, values)
    assert changed["merchants"]["count"] == 50 and changed["scenarios"] == [{"id": "b"}]
    assert SHOPS["merchants"]["count"] == 10
    assert with_values(changed, assignments(["merchants.count=null"]))["merchants"] == {}
    shorter = with_values({"scenarios": [{"id": "a"}, {"id": "b"}]}, assignments(["scenarios.0=null"]))
    assert shorter == {"scenarios": [{"id": "b"}]}


def test_dates_are_read_as_yaml_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(
        "name: a\nhorizon: {start: 2026-10-26 07:00:00+02:00, end: 2026-11-01}\nplaces: {countries: [GB]}\n"
    )
    plan = World.from_file(file).plan
    assert f"{plan.start_utc:%Y-%m-%dT%H}" == "2026-10-26T05" and plan.hours == 6 * 24 - 5


def test_the_template_is_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "world.yaml"
    write_template(file)
    document = read_spec(file)
    least = {key: document[key] for key in ("name", "horizon", "places")}
    stated = {"merchants": {"count": 100}}  # what the template says beyond defaults
    assert resolved(document) == resolved({**least, **stated})
    with pytest.raises(WorldError, match="the file is there"):
        write_template(file)


def test_examples_in_the_template_are_sound() -> None:
    text = (resource_root() / "config/worlds/template.yaml").read_text()
    taken = text[text.index("law:") :].replace("    overlays: []\n", "")
    lines = [line.replace("# ", "", 1) if line.lstrip().startswith("# ") else line for line in taken.splitlines()]
    lines = [line for line in lines if line.strip().partition(":")[0] not in ("profile", "file", "law")]
    document = yaml.safe_load("\n".join(lines))
    assert {"channels", "latent", "dispersion", "targets", "policies"} <= set(document)
    assert document["scenarios"][0]["overlays"]
    changed = with_values(document, {"merchants.classes": {"office_hours": 1, "online_24h": 1, "consumer_daytime": 1}})
    changed["channels"] = {"card_present": {"share": 1}}
    assert World.from_mapping(changed).plan.open_hours


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_a_preset_can_be_written_and_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / "w.yaml"
    write_template(file, name)
    assert file.read_text().startswith("# yaml-language-server: $schema=file://")
    assert World.from_file(file) == World.from_preset(name)


def test_scaling_a_preset_scales_its_volume() -> None:
    demo = seg5b.World.from_preset("demo_classic")
    assert demo.scaled(10).plan.weekly_total == 10 * demo.plan.weekly_total
    assert repr(demo) == "World('demo', 1000 merchants, 2026-03-02, 672 hours)"


def test_a_calibrated_law_knows_no_channels() -> None:
    demo = World.from_preset("demo_classic")
    for values in ({"bucket_seconds": 900}, {"channels": {"till": {"share": 1}}}, {"volume.scale": 2.0}):
        with pytest.raises(WorldError, match="is unknown to the law calibrated_v1"):
            demo.with_(values)
