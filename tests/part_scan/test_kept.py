"""Tables of parts are remembered, and made again when anything that they follow from has changed or been damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seg5b.contracts import ContractSource
from seg5b.hashing import tree_digests
from seg5b.options import Options
from seg5b.part_scan import ArrivalScan, ScanFacts, forget_others, kept, part_files
from seg5b.part_scan.arrivals import scan as arrival_scan
from seg5b.part_scan.arrivals.scan import scan_part
from seg5b.part_scan.cells import scan as cell_scan
from seg5b.part_scan.tables import PartTables
from seg5b.pipeline import run_states
from seg5b.realism import score_run
from tests.part_scan.worlds import FACTS, random_table, write
from tests.worlds import copy_run


@pytest.fixture
def scan(tmp_path: Path) -> ArrivalScan:
    path = write(random_table(np.random.default_rng(5), 300, wild=False, nulls=False), tmp_path / "part.parquet")
    return ArrivalScan(path, FACTS, tmp_path / "kept")


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that were decoded."""
    decoded: list[Path] = []

    def scanned(file: Path, facts: ScanFacts) -> PartTables:
        decoded.append(file)
        return scan_part(file, facts)

    monkeypatch.setattr(arrival_scan, "scan_part", scanned)
    return decoded


def test_a_part_is_decoded_once(scan: ArrivalScan, scans: list[Path]) -> None:
    first, again = part_files(scan), part_files(scan)
    assert (len(scans), first) == (1, again)


def test_other_facts_or_code_decode_again(
    scan: ArrivalScan, scans: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    part_files(scan)
    part_files(replace(scan, facts=replace(FACTS, stride=4)))
    monkeypatch.setattr(kept, "code_digest", lambda: "0" * 64)
    part_files(scan)
    assert len(scans) == 3


@pytest.mark.parametrize("damage", ["table", "facts", "missing"])
def test_damage_is_repaired(scan: ArrivalScan, scans: list[Path], damage: str) -> None:
    sound = part_files(scan)
    before = tree_digests(scan.folder)
    victim = sound.tables["cells"] if damage != "facts" else sound.tables["cells"].with_name("part.json")
    if damage == "missing":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:-7])
    assert part_files(scan) == sound
    assert (len(scans), tree_digests(scan.folder)) == (2, before)


def test_what_no_part_needs_is_forgotten(scan: ArrivalScan, scans: list[Path], tmp_path: Path) -> None:
    part_files(scan)
    other = write(random_table(np.random.default_rng(6), 30, wild=False, nulls=False), tmp_path / "other.parquet")
    part_files(replace(scan, file=other))
    forget_others(scan.folder, [scan.files])
    assert len(list(scan.folder.iterdir())) == 1
    part_files(scan)
    assert len(scans) == 2


def test_readers_delete_nothing_and_s5_what_is_outdated(tiny_run: Path, tmp_path: Path) -> None:
    """A reader of other code may be at work while S5 is, and the other way round."""
    root, contracts = copy_run(tiny_run, tmp_path), ContractSource.packaged()
    outdated = root.kept() / "parts" / "baseline_v1" / f"{'0' * 32}-{'0' * 16}-{'0' * 16}"
    outdated.mkdir(parents=True)
    score_run(root, contracts)
    assert outdated.exists()
    run_states(root, contracts, ("S5",), options=Options(recompute=True))
    assert not outdated.exists() and list(outdated.parent.iterdir())


def test_s5_scans_nothing_twice(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither arrivals, nor intensities and counts: what S5 forgets is not what it kept."""
    root, contracts = copy_run(tiny_run, tmp_path), ContractSource.packaged()
    run_states(root, contracts, ("S5",), options=Options(recompute=True))

    def refused(*_: object) -> PartTables:
        raise AssertionError("scanned again")

    monkeypatch.setattr(arrival_scan, "scan_part", refused)
    monkeypatch.setattr(cell_scan, "scan_cells", refused)
    run_states(root, contracts, ("S5",), options=Options(recompute=True))
