"""Strict YAML and JSON: what a lenient reader would swallow is an error here."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg5b.contracts import load_json, load_yaml
from seg5b.errors import ContractError, PolicyError

BAD_YAML = {
    "repeated key": "a: 1\nb: 2\na: 3\n",
    "repeated nested key": "a:\n  - {x: 1, y: 2, x: 3}\n",
    "repeated key after quoting": "a: 1\n'a': 2\n",
    "not a mapping": "- 1\n- 2\n",
    "empty": "",
    "two documents": "a: 1\n---\nb: 2\n",
    "object tag": "a: !!python/object/apply:os.getcwd []\n",
    "nan": "a: .nan\n",
    "infinity": "a: [1.0, -.inf]\n",
    "numeric key": "a: {1: 2}\n",
    "broken": "a: [1, 2\n",
}
BAD_JSON = {
    "repeated key": '{"a": 1, "a": 2}',
    "repeated nested key": '{"b": [{"a": 1, "a": 2}]}',
    "not an object": "[1]",
    "nan": '{"a": NaN}',
    "trailing": '{"a": 1} x',
    "empty": "",
}


@pytest.mark.parametrize("case", sorted(BAD_YAML))
def test_yaml_refuses(tmp_path: Path, case: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(BAD_YAML[case])
    with pytest.raises(ContractError) as caught:
        load_yaml(path)
    assert caught.value.code == "5B.S0.CATALOGUE_INCOMPLETE"
    assert caught.value.where == str(path)


@pytest.mark.parametrize("case", sorted(BAD_JSON))
def test_json_refuses(tmp_path: Path, case: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(BAD_JSON[case])
    with pytest.raises(ContractError):
        load_json(path)


def test_repeated_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("limits:\n  low: 1\n  low: 2\n")
    with pytest.raises(ContractError, match="'low' appears twice"):
        load_yaml(path)


def test_undecodable_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: \xff\n")
    with pytest.raises(ContractError):
        load_yaml(path)


def test_missing_file_and_own_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="does not exist") as caught:
        load_yaml(tmp_path / "gone.yaml", error=PolicyError, code="5B.S1.X")
    assert caught.value.code == "5B.S1.X"


def test_merge_keys_and_aliases_still_work(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\nagain: *b\n")
    assert load_yaml(path) == {"base": {"x": 1, "y": 2}, "use": {"x": 1, "y": 3}, "again": {"x": 1, "y": 2}}
