"""A finished part is what it was, or it is not used."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from seg5b.evidence import TraceRow
from seg5b.expansion.hybrid import HybridRows
from seg5b.finished import key_of
from seg5b.hashing import sha256_hex
from seg5b.parts import PartCheckpoints
from seg5b.policy.rng import SITE_PICK, TIME_JITTER, RngFamily

FAMILIES = {family: RngFamily(family, "5B.S4", "label", "law") for family in (TIME_JITTER, SITE_PICK)}
HYBRID = HybridRows(np.array([3, 2**40, 17]), np.array([1, 0, 50_000], np.int32))
TRACE = [TraceRow(FAMILIES[TIME_JITTER], 4, 7, 2**128 - 1, 10, 10, 10), TraceRow(FAMILIES[SITE_PICK], 4, 0, 5, 3, 6, 3)]


SUMS = {"rows": 12, "lambda_max": 0.1 + 0.2}


@pytest.fixture
def parts(tmp_path: Path) -> PartCheckpoints:
    """Part 4 is finished, part 5 only written."""
    made = PartCheckpoints(tmp_path / "kept", "k", FAMILIES, SUMS)
    for number in (4, 5):
        with made.writing(number) as written:
            written.write_bytes(b"rows" * 100)
            if number == 4:
                made.keep(number, written, TRACE, SUMS, HYBRID.content())
    return made


def test_nothing_is_left_of_what_was_not_finished(parts: PartCheckpoints, tmp_path: Path) -> None:
    assert not list(parts.folder.glob("*.writing"))
    parts.tidy()
    assert parts.find(4) is not None
    other = PartCheckpoints(tmp_path / "kept" / "S4", "k", FAMILIES)
    other.tidy()
    assert not other.folder.parent.exists() and parts.find(4) is not None


def test_what_was_kept_comes_back(parts: PartCheckpoints) -> None:
    found = parts.find(4)
    assert found is not None and list(found.trace) == TRACE and found.sums == SUMS
    hybrid = HybridRows.of(parts.side(4))
    assert hybrid.row.tolist() == HYBRID.row.tolist()
    assert hybrid.virtual.tolist() == HYBRID.virtual.tolist()
    assert parts.find(5) is None and parts.find(6) is None


def test_two_may_make_the_same_part_at_once(parts: PartCheckpoints) -> None:
    with parts.writing(4) as first, parts.writing(4) as second:
        assert first != second
        for written in (first, second):
            written.write_bytes(b"same")
        kept = [parts.keep(4, written, TRACE, SUMS) for written in (first, second)]
    assert kept[0] == kept[1] == parts.find(4)
    assert sorted(file.name for file in parts.folder.glob("part-000004*")) == [
        "part-000004.json",
        "part-000004.parquet",
        "part-000004.side",
    ]


@pytest.mark.parametrize("suffix", ["parquet", "side", "json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_part_is_not_found(parts: PartCheckpoints, suffix: str, damage: str) -> None:
    file = parts.file(4).with_suffix(f".{suffix}")
    content = bytearray(file.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif damage == "truncate":
        file.write_bytes(content[:-1])
    else:
        file.unlink()
    assert parts.find(4) is None


def test_a_record_vouches_for_itself(parts: PartCheckpoints) -> None:
    """Its totals and counters go into the trace, and no file beside it would show that one digit is another."""
    record = parts.file(4).with_suffix(".json")
    text = record.read_text()
    assert text.count(", 10, 10, 10]") == 1
    record.write_text(text.replace(", 10, 10, 10]", ", 11, 10, 10]"))
    assert parts.find(4) is None


RECORDS = {
    "sums of another form": lambda text: re.sub(r'"sums": {[^}]*}', '"sums": [12]', text),
    "a sum that is missing": lambda text: text.replace('"rows"', '"cells"'),
    "a sum that is a text": lambda text: text.replace('"rows": 12', '"rows": "a"'),
    "a sum that is no whole number": lambda text: text.replace('"rows": 12', '"rows": 12.5'),
    "not a number": lambda text: text.replace('"rows": 12', '"rows": NaN'),
    "a key twice": lambda text: text.replace('"rows": 12', '"rows": 12, "rows": 13'),
    "nested": lambda text: "[" * 100_000,
    "a long number": lambda text: text.replace('"rows": 12', '"rows": ' + "9" * 100_000),
    "a trace of another form": lambda text: text.replace(", 10, 10, 10]", ", 10, 10]"),
    "a negative trace": lambda text: text.replace(", 10, 10, 10]", ", 10, 10, -1]"),
    "a counter of another form": lambda text: text.replace("f" * 32, "0x" + "f" * 30),
    "an unknown family": lambda text: text.replace(SITE_PICK, "another"),
    "nothing": lambda text: "",
}


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_of_another_form_is_no_record(parts: PartCheckpoints, record: str) -> None:
    """Somebody who mends its digest too still has to keep to the form."""
    assert parts.find(4) is not None
    path = parts.file(4).with_suffix(".json")
    text = path.read_text().split("\n")[1]
    changed = RECORDS[record](text)
    assert changed != text
    path.write_text(f"{sha256_hex(changed.encode())}\n{changed}")
    assert parts.find(4) is None


def test_sums_that_json_does_not_know_come_back(parts: PartCheckpoints) -> None:
    """A part without rows has no least intensity."""
    sums = {"rows": 0, "lambda_max": math.inf}
    with parts.writing(6) as written:
        written.touch()
        parts.keep(6, written, (), sums)
    found = parts.find(6)
    assert found is not None and found.sums == sums


def test_parts_of_another_key_are_removed(parts: PartCheckpoints, tmp_path: Path) -> None:
    again = PartCheckpoints(tmp_path / "kept", "k", FAMILIES)
    (again.folder / "part-000009.of-a-killed-process.writing").touch()
    again.sweep()
    assert again.find(4) is not None and not list(again.folder.glob("*.writing"))
    other = PartCheckpoints(tmp_path / "kept", "other", FAMILIES)
    assert other.find(4) is None and parts.file(4).exists(), "who only opens it removes nothing"
    other.sweep()
    assert not parts.file(4).exists()


def test_keys_differ_where_facts_do() -> None:
    assert len({key_of({"code": code, "files": files}) for code in "ab" for files in (["c"], ["d", "e"])}) == 4


def test_rows_are_joined_in_order() -> None:
    twice = HybridRows.joined([HYBRID, HYBRID])
    assert twice.row.tolist() == [*HYBRID.row, *HYBRID.row] and twice.virtual.dtype == np.int32
    assert HybridRows.joined([]).row.size == 0
    assert HybridRows.of(HybridRows.joined([]).content()).row.size == 0
