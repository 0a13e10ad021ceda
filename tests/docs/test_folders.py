"""The list of folders in tests/README.md is the list of folders."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_every_folder_is_listed_with_a_line_of_its_own() -> None:
    listed = re.findall(r"^\| `([\w-]+)/` \| \S", (TESTS / "README.md").read_text("utf-8"), re.M)
    assert listed == sorted(folder.name for folder in TESTS.iterdir() if any(folder.glob("*.py")))
