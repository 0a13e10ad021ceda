"""A change of a policy does what it says or is refused: a test of a change that did nothing would prove nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.policies import change_policies

TEXT = "a: {b: 1, open: true}\nlist:\n- {law: é}\n- {law: y}\nb: 1\n"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "reference/config/layer2/5B/p.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(TEXT, "utf-8")
    return path


def _change(policy: Path, values: dict[str, Any]) -> Any:
    change_policies(policy.parents[4], {"p": values})
    return yaml.safe_load(policy.read_text("utf-8"))


def test_only_the_named_key_changes(policy: Path) -> None:
    """Not the key of the same name that stands elsewhere."""
    assert _change(policy, {"a.b": 2, "list.1.law": "z"}) == {
        "a": {"b": 2, "open": True},
        "list": [{"law": "é"}, {"law": "z"}],
        "b": 1,
    }


@pytest.mark.parametrize("key", ["c", "a.c", "a.b.c", "list.2.law", "list.law", "c.b"])
def test_a_key_that_is_not_there_is_refused(policy: Path, key: str) -> None:
    with pytest.raises(KeyError, match=f"p has no key {key}"):
        _change(policy, {key: 3})
    assert policy.read_text("utf-8") == TEXT


def test_a_value_that_is_there_already_is_refused(policy: Path) -> None:
    with pytest.raises(AssertionError, match=r"a\.b is 1 already"):
        _change(policy, {"a.b": 1})
    assert _change(policy, {"a.open": 1})["a"]["open"] == 1, "1 is not true"
