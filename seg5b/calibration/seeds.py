"""Datasets of a seed that a world was not made with, made from the specification that lies in its run
(docs/laws#derived-runs)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.errors import RunError, WorldError, shown
from seg5b.resources import resource_root
from seg5b.runs.identity import UINT64_MAX
from seg5b.runs.root import WORLD_SPECIFICATION, RunRoot
from seg5b.world.folder import Folder
from seg5b.world.make import Draft, draft_world, write_seed
from seg5b.world.plan import CALIBRATED, DERIVED
from seg5b.world.spec import plan_of, read_spec

_log = logging.getLogger("seg5b")
_PROBE = "s1_site_weights"


@dataclass(frozen=True, slots=True)
class MissingSeed:
    """A seed that a run's world lacks and can be given. ``draft``: the world, identified as the run's."""

    seed: int
    draft: Draft

    def write(self, folder: Path) -> None:
        """Write every dataset of the seed below the run folder ``folder``, byte for byte as `seg5b world make` does.
        Raises `OSError`."""
        _log.info("making the sites, weights and edges of seed %d", self.seed)
        write_seed(Folder.open(folder, self.draft.identity), self.draft.built(), self.seed)


def missing_seed(base: RunRoot, contracts: ContractSource, seed: int) -> MissingSeed | None:
    """What makes the datasets of ``seed``; None where the run has them.

    Raises `RunError` ``5B.CALIBRATION.SEED_INVALID`` for what is no unsigned 64-bit integer, and
    ``5B.CALIBRATION.SEED_NOT_IN_WORLD`` where nothing in the run says how to make them: no specification, one of the law
    calibrated_v1, one whose tables are not there, or one that comes to another world.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= UINT64_MAX:
        what = f"seed {shown(seed)} is not an unsigned 64-bit integer"
        raise RunError("5B.CALIBRATION.SEED_INVALID", what, remedy="name one from 0 to 2^64 - 1")
    tokens = {**base.identity.tokens(), "seed": str(seed)}
    if (base.path / contracts.dictionary("5B").entry(_PROBE).render(tokens)).exists():
        return None
    return MissingSeed(seed, _drafted(base, seed))


def _drafted(base: RunRoot, seed: int) -> Draft:
    path = base.path / WORLD_SPECIFICATION
    if not path.is_file():
        why = "the run holds no specification of its world to make them from"
        raise _absent(base, seed, why, f"have upstream publish them below the run, or {_again(base, seed)}")
    try:
        document = read_spec(path)
        if document.get("law") == CALIBRATED:
            why = f"under the law {CALIBRATED} all seeds of a world are made together"
            raise _absent(base, seed, why, f"{_again(base, seed)}; worlds of the law {DERIVED} take any seed later")
        draft = draft_world(plan_of(document), (base.identity.seed, seed), resource_root())
    except WorldError as cause:
        why = f"the world cannot be made from {WORLD_SPECIFICATION}: {cause.what}"
        raise _absent(base, seed, why, "put the tables that it names beside it, or restore it") from cause
    made, own = draft.identity, base.identity
    if (made.parameter_hash, made.manifest_fingerprint) != (own.parameter_hash, own.manifest_fingerprint):
        why = f"{WORLD_SPECIFICATION} comes to another world under this version of seg5b and its policies"
        raise _absent(base, seed, why, "use the version that made the world, or make the world again")
    return draft


def _again(base: RunRoot, seed: int) -> str:
    return f"make a world that has both: `seg5b world make ... --seed {base.identity.seed} --seed {seed}`"


def _absent(base: RunRoot, seed: int, why: str, remedy: str) -> RunError:
    return RunError(
        "5B.CALIBRATION.SEED_NOT_IN_WORLD",
        f"the world has no datasets of seed {seed}, and {why}",
        where=str(base.path),
        remedy=remedy,
    )
