"""Setting a gate aside, with everything that was made behind it, so that a fresh one can be written."""

from __future__ import annotations

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
    try:
        folder = _next_folder(root.path / "superseded")
        for relative in present:
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            (root.path / relative).rename(target)
    except OSError as cause:
        raise PublishError(
            "5B.S0.IO_WRITE_FAILED",
            f"could not set the old gate aside: {cause.strerror or cause}",
            where=str(root.path),
            remedy="free space or fix permissions, then reseal again; what was moved stays moved",
        ) from cause
    return Superseded(folder, tuple(present))


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
