"""The power goes: what was not synced is lost or torn, and the next run still ends right (law L12, law L16)."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from tests.torture import journal
from tests.torture.bench import Bench
from tests.torture.judging import goes_on
from tests.torture.verdict import Case

CUT = "power cut"
SPARED = "power cut, run ledger spared"
MODES = ("nothing", "names", "bytes", "some")
INSTANTS = 14
_LEDGER = "segment_state_runs.jsonl"
_SHORT = {("names", 8), ("some", 2)}


def cases() -> list[Case]:
    """Each instant with a loss of each kind, and once more with the run ledger as it was when the power went."""
    return [
        Case(kind, f"instant {instant} of {INSTANTS}, {mode} kept", partial(_cut, mode, instant, kind == SPARED), short)
        for instant in range(1, INSTANTS + 1)
        for mode in MODES
        for kind, short in ((CUT, (mode, instant) in _SHORT), (SPARED, False))
        if kind == CUT or mode == "some"
    ]


@dataclass(frozen=True, slots=True)
class Recording:
    """A run that nothing happened to: the tree before it, its nodes by inode, and all that changed it."""

    tree: journal.Node
    nodes: dict[int, journal.Node]
    entries: list[journal.Entry]


_recorded: dict[tuple[Path, str], Recording] = {}
_lock = Lock()


def _recording(bench: Bench) -> Recording:
    """The recording of a bench, made once for each planted defect."""
    with _lock:
        key = (bench.folder, bench.plant)
        if key not in _recorded:
            runs_root = bench.copy(bench.world, bench.folder / f"recorded_{bench.plant}")
            nodes: dict[int, journal.Node] = {}
            tree, written = journal.scan(runs_root, nodes), bench.folder / f"journal_{bench.plant}"
            also = {"TORTURE_JOURNAL": written}
            ended = bench.seg5b("run", "--json", "--runs-root", runs_root, below=runs_root, also=also)
            if ended.status:
                raise RuntimeError(ended.cause())
            _recorded[key] = Recording(tree, nodes, journal.read(written))
        return _recorded[key]


def _cut(mode: str, instant: int, spared: bool, bench: Bench, folder: Path) -> str:
    recording = deepcopy(_recording(bench))
    # Most entries are writes: instants are spread over the others, so that every state has its share.
    steps = [number for number, entry in enumerate(recording.entries, 1) if entry.kind != "W"]
    until = steps[instant * len(steps) // (INSTANTS + 1)]
    loss = journal.loss_of(mode, instant)
    if spared:
        loss = _sparing(recording.entries, loss)
    left = journal.after_cut(recording.tree, recording.entries[:until], recording.nodes, loss)
    journal.write(left, folder / "after")
    return goes_on(bench, folder / "after")


def _sparing(entries: list[journal.Entry], loss: journal.Loss) -> journal.Loss:
    """A loss that leaves the ledger of states and the folders above it alone."""
    ledger = {entry.b for entry in entries if entry.kind == "C" and entry.data.decode() == _LEDGER}
    above = ("layer2", "segment_state_runs", "segment=5B", "utc_day=")

    def spare(step: journal.Step) -> float:
        entry = step.entry
        if entry.kind in "WT" and entry.a in ledger:
            return 1.0
        if entry.kind in "CD" and (entry.b in ledger or entry.data.decode().startswith(above)):
            return 1.0
        return loss(step)

    return spare
