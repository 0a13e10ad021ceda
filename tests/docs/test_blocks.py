"""What the documentation tells a reader to type works: blocks are run, and what cannot be run here is at least known.

The blocks of a page run one after another in a folder that holds one small realised run below ``runs/``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import (
    PAGES,
    ROOT,
    Block,
    blocks_of,
    commands_of,
    fault,
    inline_commands,
    named_paths,
)
from tests.docs.run_page import run_page
from tests.long import LONG
from tests.worlds import copy_run

TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in PAGES}
BLOCKS = [block for page, text in TEXTS.items() for block in blocks_of(text, page)]
RUN = [
    page
    for page in TEXTS
    if any(block.language in ("sh", "python") and not block.reason for block in blocks_of(TEXTS[page], page))
]
SLOW = {f"docs/how-to/{name}.md" for name in ("seeds", "compare", "terminal", "verify", "event-logs")}
INLINE = [(page, command) for page, text in TEXTS.items() for command in inline_commands(text)]


@pytest.mark.parametrize("page", [pytest.param(page, marks=LONG) if page in SLOW else page for page in RUN])
def test_blocks_run_one_after_another(page: str, tiny_run: Path, tmp_path: Path) -> None:
    copy_run(tiny_run, tmp_path)
    run_page(page, tmp_path)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.reason], ids=lambda block: block.place)
def test_blocks_that_are_not_run_name_what_exists(block: Block) -> None:
    if block.language == "python":
        compile(block.body, block.place, "exec")
    elif block.language == "sh":
        assert [problem for words in commands_of(block.body) if (problem := fault(words))] == []


@pytest.mark.parametrize(("page", "command"), INLINE)
def test_commands_in_running_text_exist(page: str, command: str) -> None:
    (words,) = commands_of(command)
    assert fault(words) == ""


@pytest.mark.parametrize("page", TEXTS)
def test_files_in_running_text_exist(page: str) -> None:
    assert [path for path in sorted(named_paths(TEXTS[page])) if not (ROOT / path).exists()] == []


def test_what_does_not_exist_is_found() -> None:
    assert fault(["seg5b", "world", "make", "--preset", "demo", "--seed=7"]) == ""
    assert fault(["seg5b", "world", "unmake"]) == "seg5b has no command unmake"
    assert fault(["seg5b", "run", "--backend", "cpu", "--quick"]) == "run has no option --quick"
    assert fault(["make", "test", "LABEL=x"]) == "" and fault(["make", "tests"]) == "the Makefile has no target tests"
    assert list(commands_of("A=1 .venv/bin/seg5b run \\\n  --to S1  # so far\n")) == [["seg5b", "run", "--to", "S1"]]


@pytest.mark.parametrize(
    "text",
    [
        "```\nx\n```\n",
        "```cobol\nx\n```\n",
        "<!-- skip -->\n```sh\nx\n```\n",
        "<!-- not run: slow -->\n```sh\nx\n```\n",
    ],
)
def test_a_block_without_a_language_or_a_reason_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="page:"):
        blocks_of(text, "page")
