"""The run folder of a world while it is made: where each dataset goes, by the contracts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.contracts import ContractSource, Dictionary
from seg5b.world.identity import WorldIdentity, canon


@dataclass(frozen=True, slots=True)
class Folder:
    """Run folder ``root`` of the world ``identity``, with paths from the 5B dictionary."""

    root: Path
    identity: WorldIdentity
    dictionary: Dictionary

    @classmethod
    def open(cls, root: Path, identity: WorldIdentity) -> Folder:
        """With the packaged contracts."""
        return cls(root, identity, ContractSource.packaged().dictionary("5B"))

    def relative(self, dataset_id: str, *, seed: int | None = None, scenario_id: str | None = None) -> str:
        """Contract path of a dataset within the run; a folder ends in ``/``."""
        return self.dictionary.entry(dataset_id).render(self.tokens(seed, scenario_id))

    def path(self, dataset_id: str, *, seed: int | None = None, scenario_id: str | None = None) -> Path:
        """File to write a dataset to: its contract path, or the one part of its folder."""
        relative = self.relative(dataset_id, seed=seed, scenario_id=scenario_id)
        return self.root / (relative + "part-00000.parquet" if relative.endswith("/") else relative)

    def tokens(self, seed: int | None = None, scenario_id: str | None = None) -> dict[str, str]:
        """Values of the path tokens; the first seed unless one is named."""
        tokens = {
            "run_id": self.identity.run_id,
            "seed": str(self.identity.seeds[0] if seed is None else seed),
            "parameter_hash": self.identity.parameter_hash,
            "manifest_fingerprint": self.identity.manifest_fingerprint,
        }
        return tokens if scenario_id is None else tokens | {"scenario_id": scenario_id}

    def write(self, relative: str, content: bytes) -> Path:
        """Write a small file at a path within the run."""
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def write_json(self, dataset_id: str, value: Mapping[str, Any], *, seed: int | None = None) -> Path:
        """Write a JSON dataset in canonical form."""
        return self.write(self.relative(dataset_id, seed=seed), canon(value))

    def stamp(self) -> dict[str, str]:
        """The two hashes that most documents carry."""
        return {
            "manifest_fingerprint": self.identity.manifest_fingerprint,
            "parameter_hash": self.identity.parameter_hash,
        }
