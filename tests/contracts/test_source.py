"""Both layouts are read; what is missing or malformed is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from seg5b.contracts import ContractSource, layout
from seg5b.errors import ContractError

Tree = Callable[[str], Path]
FILES = {
    "pack": layout.pack_path(layout.CONTRACTS, layout.Pack("ingress.layer2", "5A")),
    "5B dictionary": layout.dictionary_path(layout.CONTRACTS, "5B"),
    "1A dictionary": layout.dictionary_path(layout.CONTRACTS, "1A"),
    "registry": layout.registry_path(layout.CONTRACTS, "5B"),
}


@pytest.mark.parametrize("name", layout.LAYOUTS)
def test_layouts(tree: Tree, shipped: ContractSource, name: str) -> None:
    source = ContractSource.open(tree(name), name)
    source.check_complete()
    assert source.dictionary().entries == shipped.dictionary().entries
    assert source.registry().artifacts == shipped.registry().artifacts
    source.validate("schemas.layer1.yaml#/$defs/iso2", "GB", code="X", where="here")


def test_model_spec_places() -> None:
    root = "docs/model_spec/data-engine/layer-"
    assert str(layout.dictionary_path("model_spec", "5B")) == (
        f"{root}2/specs/contracts/5B/dataset_dictionary.layer2.5B.yaml"
    )
    assert str(layout.registry_path("model_spec", "5B")) == f"{root}2/specs/contracts/5B/artefact_registry_5B.yaml"
    layer1 = layout.Pack("layer1", "1A")
    assert str(layout.pack_path("model_spec", layer1)) == f"{root}1/specs/contracts/1A/schemas.layer1.yaml"


def test_contracts_places() -> None:
    assert str(layout.dictionary_path("contracts", "3B")) == "contracts/dataset_dictionary/l1/seg_3B/layer1.3B.yaml"
    layer2 = layout.Pack("layer2", "5A")
    assert str(layout.pack_path("contracts", layer2)) == "contracts/schemas/layer2/schemas.layer2.yaml"


def test_wrong_layout_finds_nothing(tree: Tree) -> None:
    with pytest.raises(ContractError, match="does not exist"):
        ContractSource.open(tree("contracts"), "model_spec").check_complete()


def test_unknown_layout(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="contracts, model_spec") as caught:
        ContractSource.open(tmp_path, "root")
    assert caught.value.code == "5B.CONTRACT.LAYOUT_UNKNOWN"


@pytest.mark.parametrize("damage", ["absent", "list", "twice"])
@pytest.mark.parametrize("name", sorted(FILES))
def test_incomplete(tree: Tree, name: str, damage: str) -> None:
    root = tree("contracts")
    path = root / FILES[name]
    text = path.read_text()
    if damage == "absent":
        path.unlink()
    else:
        path.write_text("- 1\n" if damage == "list" else f"{text}\nversion: a\nversion: b\n")
    with pytest.raises(ContractError, match=path.name) as caught:
        ContractSource.open(root, "contracts").check_complete()
    assert caught.value.code == "5B.S0.CATALOGUE_INCOMPLETE"


def test_packaged_is_read_once() -> None:
    assert ContractSource.packaged() is ContractSource.packaged()
    assert ContractSource.packaged().dictionary() is ContractSource.packaged().dictionary()


@pytest.mark.parametrize(
    ("kind", "version"), [("1A", "1.0"), ("3A", "1.0"), ("5A", "1.0.0"), ("ingress.layer2", ""), ("9Z", "")]
)
def test_pack_versions(shipped: ContractSource, kind: str, version: str) -> None:
    assert shipped.pack_version(kind) == version
