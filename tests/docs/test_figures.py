"""The figures of docs/realism.md are those that are measured."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from docs.generate.figures import OF_THE_CLASSIC_DEMO, OF_THE_DEMO, PAGE, measured, with_block
from seg5b.api import Run

AGAIN = "run `make figures`"


@pytest.mark.parametrize("name", OF_THE_DEMO)
def test_a_figure_of_the_demo(name: str, public_demo: Run) -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_block(page, name, OF_THE_DEMO[name](public_demo)), AGAIN


@pytest.mark.parametrize("name", OF_THE_CLASSIC_DEMO)
def test_a_figure_of_the_classic_demo(name: str, demo_run: Run) -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_block(page, name, OF_THE_CLASSIC_DEMO[name](demo_run)), AGAIN


@pytest.mark.skipif(not os.environ.get("SEG5B_GOLDEN"), reason="eight demos: `make golden`")
def test_every_figure(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    for name, content in measured(tmp_path).items():
        assert page == with_block(page, name, content), AGAIN
    shutil.rmtree(tmp_path)


def test_a_block_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="0 blocks 'x'"):
        with_block("nothing", "x", "y")
