"""Contracts and policies of the reference engine as its users have them. They lie beside the repository, not in it; tests that
need them skip where they are not there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from seg5b.contracts import ContractSource, load_yaml
from seg5b.contracts.layout import MODEL_SPEC, Pack, pack_path
from seg5b.resources import resource_root

_BESIDE = Path("shared", "reference_data")
_PACK = Pack("5B", "5B")
LAYER_1_POLICIES = ("route_rng_policy_v1", "alias_layout_policy_v1")


def reference_root() -> Path:
    """Folder that holds that engine's ``docs/model_spec`` and ``config``."""
    for parent in Path(__file__).resolve().parents:
        if (parent / _BESIDE).is_dir():
            return parent / _BESIDE
    pytest.skip("the reference engine's contracts are not beside this repository")


def reference_contracts() -> ContractSource:
    """The contracts as they are."""
    return ContractSource.open(reference_root(), MODEL_SPEC)


def with_own_policies(folder: Path) -> ContractSource:
    """The contracts in a copy, in which only the schemas of 5B's policies are the packaged ones: their own do not admit the
    keys that the policies of the worlds of these tests have."""
    shutil.copytree(reference_root() / "docs", folder / "docs", copy_function=shutil.copyfile)
    path = folder / pack_path(MODEL_SPEC, _PACK)
    own = load_yaml(resource_root() / pack_path("contracts", _PACK))
    pack: dict[str, Any] = load_yaml(path)
    changed = {**pack, "config": own["config"], "$defs": {**own["$defs"], **pack["$defs"]}}
    path.write_text(yaml.safe_dump(changed, sort_keys=False), "utf-8")
    return ContractSource.open(folder, MODEL_SPEC)


def lay_layer_1_policies(run: Path) -> None:
    """Put the reference engine's policies of 2B into the ``reference/`` folder of a run: its schemas demand labels of two
    families that the policy of classic worlds does not state."""
    for name in LAYER_1_POLICIES:
        rendered = f"config/layer1/2B/policy/{name}.json"
        (run / "reference" / rendered).write_bytes((reference_root() / rendered).read_bytes())
