"""What `make torture` prints and writes says the longest wait, what could not be tried, and whether plants' cases are right."""

from __future__ import annotations

from collections.abc import Mapping

from tests.torture.fuzzed import FUZZED
from tests.torture.inputs import MUTATED
from tests.torture.suite import case_of
from tests.torture.table import Plant, console_table, page
from tests.torture.tampered import MENDED
from tests.torture.verdict import Case, Verdict


def _verdict(
    kind: str, name: str, facts: Mapping[str, object] = {}, *, wrong: str = "", wait_s: float = 1.0
) -> Verdict:
    return Verdict(Case(kind, name, lambda *_: ""), wrong, wait_s, facts)


VERDICTS = [
    _verdict("limits", "RLIMIT_NPROC 1", {"skipped": "not root"}),
    _verdict("limits", "RLIMIT_AS 2", wait_s=7.25),
    _verdict("short writes", "write 1 of 10", wrong="hung for 20 s in publish.py:7"),
    _verdict(MUTATED, "JSON", {"inputs": 3, "codes": {"read": 1, "5B.RUN.X": 2}, "wrong": []}),
    _verdict(FUZZED, "flags", {"executions": 1234, "seconds": 2.0, "findings": [], "guided": True}),
    _verdict(MENDED, "one", {"S5": "5B.S5.X", "replay": None}),
    _verdict(MENDED, "other", {"S5": "", "replay": None}),
]
SOUND = Plant("unsynced", Verdict(case_of("unsynced"), "wrong", 1.0), Verdict(case_of("unsynced"), "", 1.0))
CROOKED = Plant("copied", Verdict(case_of("copied"), "wrong", 1.0), Verdict(case_of("copied"), "wrong", 1.0))


def test_the_console_table() -> None:
    lines = console_table(VERDICTS, [SOUND, CROOKED], 1.0).splitlines()
    assert "limits                            1 of    2 right, 1 skipped; longest    7.2 s (RLIMIT_AS 2)" in lines
    assert "longest wait: 7.2 s, limits: RLIMIT_AS 2" in lines
    assert "planted: unsynced              noticed; right without: yes" in lines
    assert "planted: copied                noticed; right without: no" in lines


def test_a_plant_is_noticed_only_if_its_case_is_right_without() -> None:
    assert SOUND.noticed and not CROOKED.noticed


def test_the_page() -> None:
    text = page(VERDICTS, [SOUND, CROOKED], 1.0, 1)
    assert "| limits | 1 | 1 | 7.2 s, RLIMIT_AS 2 |" in text
    assert "| limits: RLIMIT_NPROC 1 | not root |" in text
    assert "| hung in publish.py:7 | 1 | short writes: write 1 of 10 |" in text
    assert "| JSON | 3 | 3 | `5B.RUN.X` 2, read 1 |" in text
    assert "| flags | 1,234 | 2.0 | 0 | guided by coverage |" in text
    assert "| one | `5B.S5.X` |  |" in text and "| other | no |  |" in text
    assert "notices 1 of 2; making everything again notices not tried" in text
    assert text.count("| noticed | yes |") == 1 and text.count("| noticed | no |") == 1
