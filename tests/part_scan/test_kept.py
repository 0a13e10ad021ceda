"""Tables of parts are remembered, and made again when anything that they follow from has changed or been damaged."""

from __future__ import annotations

import errno
import json
import os
import pickle
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seg5b.contracts import ContractSource
from seg5b.hashing import sha256_file, sha256_hex, tree_digests
from seg5b.options import Options, ValidationOptions
from seg5b.part_scan import ArrivalScan, ScanFacts, forget_others, kept, part_files, placed
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


RECORDS = {
    "a digit": lambda text: text.replace(b'"rows": 300', b'"rows": 301'),
    "not a number": lambda text: text.replace(b'"rows": 300', b'"rows": NaN'),
    "a number too few": lambda text: text.replace(b'"judged": ', b'"other": '),
    "another form": lambda text: re.sub(rb'"faults": {', b'"faults": [], "more": {', text),
    "nested": lambda text: b"[" * 100_000,
    "twice": lambda text: text.replace(b'"facts": {', b'"facts": {}, "facts": {'),
    "a text": lambda text: text.replace(b'"rows": 300', b'"rows": "300"'),
    "no float": lambda text: text.replace(b'"rows": 300', b'"rows": "0x1p99999999999999999999"'),
    "empty": lambda text: b"",
}


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("record", RECORDS)
def test_a_record_that_is_not_what_was_written_is_made_again(
    scan: ArrivalScan, scans: list[Path], record: str, sealed: bool
) -> None:
    """Damage is seen by the digest of the record; somebody who mends that too still has to keep to the form."""
    sound = part_files(scan)
    path = sound.tables["cells"].with_name("part.json")
    seal, _, text = path.read_bytes().partition(b"\n")
    changed = RECORDS[record](text)
    assert changed != text
    path.write_bytes(b"\n".join((sha256_hex(changed).encode() if sealed else seal, changed)))
    again = part_files(scan)
    if record == "a digit" and sealed:
        return  # whoever may write here may write anything
    assert again == sound and len(scans) == 2


def test_what_cannot_be_kept_is_placed_elsewhere(
    scan: ArrivalScan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sound = part_files(scan)
    shutil.rmtree(scan.folder)
    scan.folder.touch()  # nothing can be made below it
    unkept = pickle.loads(pickle.dumps(part_files(scan)))
    assert unkept.unkept is not None and not unkept.tables
    for number in range(2):
        here = placed(unkept, scan, tmp_path / "scratch", tmp_path / "spare")
        assert plain(here.facts) == plain(sound.facts)
        assert here.tables["cells"].parent == tmp_path / "spare" / f"{number:06d}"
        assert {name: sha256_file(file) for name, file in here.tables.items()} == {
            name: sha256_file(file) for name, file in again_kept(scan).items()
        }
    assert len([record for record in caplog.records if "cannot be kept" in record.getMessage()]) == 1


def test_a_reader_has_links_of_its_own(
    scan: ArrivalScan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who deletes what is kept takes nothing from it: not behind the links, and not before they are made."""
    kept_ones = part_files(scan)
    digests = {name: sha256_file(file) for name, file in kept_ones.tables.items()}
    linked = placed(kept_ones, scan, tmp_path / "scratch", tmp_path / "spare")
    assert linked.tables["cells"].parent == tmp_path / "scratch/scans/000000" and linked.facts == kept_ones.facts
    shutil.rmtree(scan.folder)
    late = placed(kept_ones, scan, tmp_path / "scratch", tmp_path / "spare")
    assert late.tables["cells"].parent == tmp_path / "spare/000000" and plain(late.facts) == plain(kept_ones.facts)
    assert "deleted meanwhile" in caplog.text
    for found in (linked, late):
        assert {name: sha256_file(file) for name, file in found.tables.items()} == digests

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", refuse)
    again = part_files(scan)
    assert placed(again, scan, tmp_path / "scratch", tmp_path / "spare") == again


def plain(facts: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(facts))


def again_kept(scan: ArrivalScan) -> Mapping[str, Path]:
    return part_files(replace(scan, folder=scan.folder.with_name("elsewhere"))).tables


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


@pytest.mark.parametrize("again", ["validated anew", "computed again"])
def test_s5_scans_nothing_twice_unless_it_is_asked_to_compute_again(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    """Neither arrivals, nor intensities and counts: what S5 forgets is not what it kept. ``--recompute`` believes nothing."""
    root, contracts, scanned = copy_run(tiny_run, tmp_path), ContractSource.packaged(), []
    anew = Options(validation=ValidationOptions(rederive=1))
    run_states(root, contracts, ("S5",), options=anew)

    def told(scan_again: Callable[..., PartTables], *given: Any) -> PartTables:
        scanned.append(scan_again)
        return scan_again(*given)

    monkeypatch.setattr(arrival_scan, "scan_part", partial(told, scan_part))
    monkeypatch.setattr(cell_scan, "scan_cells", partial(told, cell_scan.scan_cells))
    run_states(root, contracts, ("S5",), options=anew if again == "validated anew" else Options(recompute=True))
    assert bool(scanned) == (again == "computed again")
