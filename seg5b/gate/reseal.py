"""Setting a gate aside, with everything that was made behind it, so that a fresh one can be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.errors import PublishError
from seg5b.gate.documents import INPUTS, RECEIPT, document
from seg5b.runs import RunRoot

_OWN_FOLDERS = ("data/layer2/5B", "logs/layer2/5B")


@dataclass(frozen=True, slots=True)
class Superseded:
    """What was moved: ``moved`` are paths relative to the run folder, each now below ``folder`` (None when
    there was nothing to move)."""

    folder: Path | None
    moved: tuple[str, ...]


def reseal(root: RunRoot, contracts: ContractSource) -> Superseded:
    """Move the gate and all 5B data and logs of the run to ``<run>/superseded/<n>/``, n counting from 1.

    Each folder moves by one rename. The receipt goes first, which closes the gate, and the sealed inputs
    last: a process killed in between leaves no gate that could be opened, and calling again moves the rest
    (to the next n). ``reports/`` stays. Raises `PublishError` ``5B.S0.IO_WRITE_FAILED``.
    """
    present = _outputs(root, contracts)
    if not present:
        return Superseded(None, ())
    return Superseded(set_aside(root, [root.path / relative for relative in present], state="S0"), tuple(present))


def set_aside(root: RunRoot, places: Sequence[Path], *, state: str) -> Path:
    """Move places of a run, each by one rename and in this order, to ``<run>/superseded/<n>/``, which is returned.

    Raises `PublishError` ``5B.<state>.IO_WRITE_FAILED``.
    """
    try:
        folder = _next_folder(root.path / "superseded")
        for place in places:
            target = folder / place.relative_to(root.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            place.rename(target)
    except OSError as cause:
        raise PublishError(
            f"5B.{state}.IO_WRITE_FAILED",
            f"could not set earlier outputs aside: {cause.strerror or cause}",
            where=str(root.path),
            remedy="free space or fix permissions, then run it again; what was moved stays moved",
        ) from cause
    return folder


def _outputs(root: RunRoot, contracts: ContractSource) -> list[str]:
    """Children of the 5B output folders in the order in which they must move."""
    children = [
        child.relative_to(root.path).as_posix()
        for output in _OWN_FOLDERS
        if (root.path / output).is_dir()
        for child in sorted((root.path / output).iterdir())
    ]
    receipt, inputs = (document(root, contracts, name).rendered for name in (RECEIPT, INPUTS))
    return sorted(children, key=lambda child: _rank(child, receipt, inputs))


def _rank(child: str, receipt: str, inputs: str) -> int:
    if receipt.startswith(f"{child}/"):
        return 0
    return 2 if inputs.startswith(f"{child}/") else 1


def _next_folder(parent: Path) -> Path:
    parent.mkdir(exist_ok=True)
    taken = [int(child.name) for child in parent.iterdir() if child.name.isdecimal()]
    folder = parent / str(max(taken, default=0) + 1)
    folder.mkdir()
    return folder
