"""Shipped policies, and copies of them with one key damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from seg5b.contracts import ContractSource, load_json, load_yaml
from seg5b.resources import resource_root
from tests.policies import KINDS, put


def _path(policy_id: str) -> Path:
    return resource_root() / ContractSource.packaged().dictionary().entry(policy_id).path


def _payload(policy_id: str) -> dict[str, Any]:
    path = _path(policy_id)
    return load_json(path) if path.suffix == ".json" else load_yaml(path)


@pytest.fixture(scope="session")
def kinds() -> dict[str, Any]:
    """Record class of each policy that has one, by dictionary id."""
    return KINDS


@pytest.fixture(scope="session")
def path_of() -> Callable[[str], Path]:
    """File of a shipped policy."""
    return _path


@pytest.fixture(scope="session")
def payload_of() -> Callable[[str], dict[str, Any]]:
    """Parsed content of a shipped policy."""
    return _payload


@pytest.fixture(scope="session")
def shipped() -> Callable[[str], Any]:
    """Record of a shipped policy."""
    return lambda policy_id: KINDS[policy_id].load(_path(policy_id), ContractSource.packaged())


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Any]:
    """Record of a shipped policy after dotted keys were set: to a value, to a function of the payload, or to
    ``...``, which deletes the key."""

    def load(policy_id: str, changes: dict[str, Any]) -> Any:
        payload = _payload(policy_id)
        for key, value in changes.items():
            put(payload, key, value(payload) if callable(value) else value)
        path = tmp_path / _path(policy_id).name
        dump = json.dumps if path.suffix == ".json" else yaml.safe_dump
        path.write_text(dump(payload))
        return KINDS[policy_id].load(path, ContractSource.packaged())

    return load
