"""Contract trees: the shipped one, a writable copy of it, and the same files in the other layout."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seg5b.contracts import ContractSource, layout
from seg5b.resources import resource_root


@pytest.fixture(scope="session")
def shipped() -> ContractSource:
    return ContractSource.packaged()


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Path]:
    """Copy the shipped contracts into a fresh root, in the layout named."""

    def copy(name: str) -> Path:
        pairs = [
            (layout.registry_path(layout.CONTRACTS, "5B"), layout.registry_path(name, "5B")),
            *(
                (layout.dictionary_path(layout.CONTRACTS, segment), layout.dictionary_path(name, segment))
                for segment in layout.DICTIONARY_SEGMENTS
            ),
            *((layout.pack_path(layout.CONTRACTS, pack), layout.pack_path(name, pack)) for pack in layout.PACKS),
        ]
        for source, target in pairs:
            (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(resource_root() / source, tmp_path / target)
        return tmp_path

    return copy
