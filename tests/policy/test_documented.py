"""The shipped policies explain every key, and what they say of a key is so."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import seg5b
from docs.generate.keys import KeyDoc, documentation_file, key_of, leaves, read_documentation
from seg5b.contracts import ContractSource
from seg5b.errors import PolicyError
from seg5b.policy import ADDITIONS
from seg5b.policy.documentation import MARK, without_documentation
from seg5b.policy.reading import PolicyFile
from seg5b.resources import resource_root
from seg5b.validation.registry import CHECKS
from seg5b.world.identity import POLICY_PATHS, make_identity, shipped_policies
from seg5b.world.presets import PRESETS

POLICIES = {Path(path).stem: path for path in POLICY_PATHS}
S4_AND_S3 = range(1, 5)
_LEVELS: dict[tuple[str | int, ...], Any] = {
    ("latent_model_id",): "log_gaussian_two_level_v1",
    ("levels",): {name: {"variance_share": 0.1, "length_buckets": 30.0} for name in ("country", "zone")},
}
_SHARES: dict[tuple[str | int, ...], Any] = {("hybrid_policy", "virtual_share_profile"): {"mixed": 0.4}}
TOGETHER: dict[tuple[str, str], dict[tuple[str | int, ...], Any]] = {
    ("arrival_lgcp_config_5B", "kernel.kind"): {("latent_model_id",): "log_gaussian_iid_v1"},
    **{
        ("arrival_lgcp_config_5B", f"levels.{name}.{key}"): _LEVELS
        for name in ("country", "zone")
        for key in ("variance_share", "length_buckets")
    },
    ("arrival_routing_policy_5B", "hybrid_policy.virtual_share_profile.*"): _SHARES,
    **{
        ("arrival_count_config_5B", f"nb2.kappa_law.volume_power.{key}"): {
            ("nb2", "kappa_law", "volume_power"): {"reference_mean": 5.0, "power": 0.5}
        }
        for key in ("reference_mean", "power")
    },
    ("arrival_rng_policy_5B", "families[].domain_key_law"): {
        ("families", index, "domain_key_law"): "merchant_zone_channel_bucket" for index in S4_AND_S3
    },
}
"""Keys whose other values are legal only when further keys change, and keys that are not there without others."""


def _documentation(policy_id: str) -> tuple[KeyDoc, ...]:
    return read_documentation(documentation_file(resource_root() / POLICIES[policy_id]).read_text())


RECORDS = [(policy_id, record) for policy_id in POLICIES for record in _documentation(policy_id)]
FIXED = [(policy_id, record) for policy_id, record in RECORDS if record.fixed]
FREE = [(policy_id, record) for policy_id, record in RECORDS if not record.fixed]


def _ids(records: list[tuple[str, KeyDoc]]) -> list[str]:
    return [f"{policy_id}-{record.key}" for policy_id, record in records]


def faults(records: tuple[KeyDoc, ...], payload: Mapping[str, Any]) -> list[str]:
    """Keys that are not explained once, and explanations of keys that are not there."""
    keys = [key_of(path) for path, _ in leaves(payload)]
    wrong = [key for key in keys if sum(record.names(key) for record in records) != 1]
    return wrong + [record.key for record in records if any(map(record.names, keys)) == record.absent]


def set_at(payload: Any, path: tuple[str | int, ...], value: Any) -> None:
    """Set one value of a policy."""
    *above, last = path
    for part in above:
        payload = payload.setdefault(part, {}) if isinstance(payload, dict) else payload[part]
    payload[last] = value


@pytest.fixture
def load(tmp_path: Path, kinds: dict[str, Any], payload_of: Callable[..., Any]) -> Callable[..., Any]:
    """Read a policy with changed values as the code does; only by its schema where the code has no record of it."""

    def read(policy_id: str, changes: Mapping[tuple[str | int, ...], Any]) -> Any:
        payload = copy.deepcopy(payload_of(policy_id))
        for path, value in changes.items():
            set_at(payload, path, value)
        file = tmp_path / Path(POLICIES[policy_id]).name
        file.write_text(json.dumps(payload) if file.suffix == ".json" else yaml.safe_dump(payload))
        if policy_id in kinds:
            return kinds[policy_id].load(file, ContractSource.packaged())
        return PolicyFile.read(file, ContractSource.packaged(), policy_id, code="5B.S0.SEALED_INPUTS_SCHEMA_INVALID")

    return read


@pytest.fixture
def places(payload_of: Callable[..., Any]) -> Callable[..., list[tuple[tuple[str | int, ...], Any]]]:
    """Every (path, value) that a record explains."""

    def find(policy_id: str, record: KeyDoc) -> list[tuple[tuple[str | int, ...], Any]]:
        return [(path, value) for path, value in leaves(payload_of(policy_id)) if record.names(key_of(path))]

    return find


@pytest.mark.parametrize("policy_id", POLICIES)
def test_every_key_is_explained_once_and_in_order(policy_id: str, payload_of: Callable[..., Any]) -> None:
    records, payload = _documentation(policy_id), payload_of(policy_id)
    assert faults(records, payload) == []
    keys = [key_of(path) for path, _ in leaves(payload)]
    there = [record for record in records if not record.absent]
    first = [min(keys.index(key) for key in keys if record.names(key)) for record in there]
    assert POLICIES[policy_id].endswith(".json") or "families[].family_id" in keys or first == sorted(first)


def test_a_key_without_explanation_is_seen(payload_of: Callable[..., Any]) -> None:
    records, payload = _documentation("grouping_policy_5B"), payload_of("grouping_policy_5B")
    assert faults(records[1:], payload) == ["policy_id"]
    assert faults((*records, records[0]), payload) == ["policy_id"]
    assert faults(records, {**payload, "surprise": 1}) == ["surprise"]
    del payload["mode"]
    assert faults(records, payload) == ["mode"]


@pytest.mark.parametrize(("policy_id", "record"), FIXED, ids=_ids(FIXED))
def test_a_fixed_key_admits_no_other_value(
    load: Callable[..., Any], places: Callable[..., Any], policy_id: str, record: KeyDoc
) -> None:
    for path, value in places(policy_id, record):
        with pytest.raises(PolicyError):
            load(policy_id, {path: _other(value)})


def _other(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return value[:-1]
    return value + ("x" if isinstance(value, str) else 1)


@pytest.mark.parametrize(("policy_id", "record"), FREE, ids=_ids(FREE))
def test_a_free_key_admits_other_values_and_no_illegal_one(
    load: Callable[..., Any], places: Callable[..., Any], policy_id: str, record: KeyDoc
) -> None:
    absent = tuple(record.key.split(".")), None
    path, value = absent if record.absent else places(policy_id, record)[-1]
    value = ADDITIONS[policy_id].keys.get(record.key) if record.absent else value
    example = _example(record, value)
    assert example != value
    together = TOGETHER.get((policy_id, record.key), {})
    load(policy_id, {**copy.deepcopy(together), path: example})
    for illegal in outside(record.legal, value):
        with pytest.raises(PolicyError):
            load(policy_id, {**copy.deepcopy(together), path: illegal})


def _example(record: KeyDoc, value: Any) -> Any:
    """Another legal value than this."""
    return not value if record.legal == "true or false" else yaml.safe_load(record.example)


def outside(legal: str, value: Any) -> Iterator[Any]:
    """Values that are just not in a range, as its text says it."""
    if found := re.fullmatch(r"(-?[\d.]+)\.\.([\d.]+)", legal):
        low, high = map(_number, found.groups())
        yield from (low - 1, high + 1) if isinstance(low, int) else (low - 1e-6, high + 1e-6)
        if isinstance(low, int):
            yield low + 0.5
    elif found := re.fullmatch(r"(>=?) ([\d.]+)(?: and (<=?) ([\d.]+))?", legal):
        yield _number(found[2]) - (1e-6 if found[1] == ">=" else 0)
        if found[3]:
            yield _number(found[4]) + (1e-6 if found[3] == "<=" else 0)
    elif legal.startswith("[low, high]"):
        yield from ([2.0, 1.0], [1.0], [0.0, 1.0] if "0.0 <" in legal else "x")
    elif legal == "true or false":
        yield from (1, "yes", None)
    elif legal.startswith("one of"):
        yield value + 1 if isinstance(value, int) else f"{value}x"
    elif legal != "any value":
        yield 5
        yield from (["", 5],) if isinstance(value, list) else ()


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


class Recorder(Mapping):
    """A policy that notes which of its values are read."""

    def __init__(self, node: Mapping[str, Any], key: str, seen: set[str]) -> None:
        self._node, self._key, self._seen = node, key, seen

    def __getitem__(self, name: str) -> Any:
        return self._wrapped(self._node[name], f"{self._key}.{name}".removeprefix("."))

    def _wrapped(self, value: Any, key: str) -> Any:
        if isinstance(value, Mapping):
            return Recorder(value, key, self._seen)
        if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            return [Recorder(item, f"{key}[]", self._seen) for item in value]
        self._seen.add(key)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._node)

    def __len__(self) -> int:
        return len(self._node)


@pytest.mark.parametrize("policy_id", POLICIES)
def test_keys_that_are_said_to_be_read_are_read_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
    kinds: dict[str, Any],
    path_of: Callable[[str], Path],
    load: Callable[..., Any],
    policy_id: str,
) -> None:
    seen: set[str] = set()
    read = vars(PolicyFile)["read"].__func__

    def recording(cls: type[PolicyFile], *places: Any, **named: Any) -> PolicyFile:
        file = read(cls, *places, **named)
        return PolicyFile(Recorder(file.payload, "", seen), file.path, file.code, file.defaults)

    monkeypatch.setattr(PolicyFile, "read", classmethod(recording))
    if policy_id in kinds:
        kinds[policy_id].load(path_of(policy_id), ContractSource.packaged())
    for record in (record for record in _documentation(policy_id) if record.absent):
        together = TOGETHER.get((policy_id, record.key), {tuple(record.key.split(".")): _example(record, True)})
        load(policy_id, copy.deepcopy(together))
    for record in _documentation(policy_id):
        by_the_gate = record.reader.startswith("S0 ")
        assert any(map(record.names, seen)) == bool(record.reader and not by_the_gate), record.key


def test_readers_name_checks_and_modules_that_exist() -> None:
    checks = {check.check_id for check in CHECKS} | {"policy.max_warnings"}
    for policy_id, record in RECORDS:
        for name in re.findall(r"[a-z0-9_]+(?:\.[a-z0-9_*]+)+|[a-z_]+/[a-z_/]+\.py", record.reader):
            if name.endswith(".py"):
                assert (Path(seg5b.__file__).parent / name).is_file(), (policy_id, record.key, name)
            else:
                pattern = re.compile(re.escape(name).replace(r"\*", ".+"))
                assert any(map(pattern.fullmatch, checks)), (policy_id, record.key, name)


def test_documentation_does_not_change_the_identity_of_a_world(tmp_path: Path) -> None:
    for path in POLICY_PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(without_documentation((resource_root() / path).read_bytes()))

    def identity(root: Path) -> Any:
        return make_identity(PRESETS["demo_classic"], (42,), False, shipped_policies(root))

    assert identity(tmp_path) == identity(resource_root())
    grouping = tmp_path / POLICIES["grouping_policy_5B"]
    text = grouping.read_text()
    grouping.write_text(f"  {MARK} more words\n{text}{MARK}\n")
    assert identity(tmp_path) == identity(resource_root())
    grouping.write_text(f"# an ordinary comment\n{text}")
    assert identity(tmp_path).parameter_hash != identity(resource_root()).parameter_hash


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (b"", b""),
        (b"a: 1\n", b"a: 1\n"),
        (b"#: a\na: 1 #: kept\n\t #: b\n#:", b"a: 1 #: kept\n"),
        (b"#: a\r\n# b\r\na: 1", b"# b\r\na: 1"),
    ],
)
def test_only_whole_documentation_lines_go(text: bytes, left: bytes) -> None:
    assert without_documentation(text) == left


@pytest.mark.parametrize(
    "text", ["#: a: meaning", "#: a: meaning. Free: any.", "#: a: m. Read by S1. Maybe.", "#: a: m. Absent. Fixed."]
)
def test_a_record_without_its_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="form of a record"):
        read_documentation(text)
