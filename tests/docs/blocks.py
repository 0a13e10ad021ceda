"""Blocks of code and commands in pages of documentation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from seg5b.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    ROOT / "docs/index.md",
    *sorted((ROOT / "docs/tutorial").glob("*.md")),
    *sorted((ROOT / "docs/how-to").glob("*.md")),
]
RUNNABLE, SHOWN = ("sh", "python"), ("text", "json", "yaml")
LEAST_WORDS = 3
_FENCE = re.compile(r"^(?:<!-- (?P<marker>.*?) -->\n)?```(?P<language>\w*)\n(?P<body>.*?)^```$", re.M | re.S)
_TARGET = re.compile(r"^([a-z][\w-]*(?: [a-z][\w-]*)*):(?!=)", re.M)
_INLINE = re.compile(r"`((?:\.venv/bin/)?(?:seg5b|make) [^`]+)`")
_PATH = re.compile(r"`((?:\.ci|seg5b|kernels|contracts|config|tests|bench|docs)/[\w./-]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: the page and line it begins on, and why it is not run (empty if it is)."""

    page: str
    line: int
    language: str
    body: str
    reason: str

    @property
    def place(self) -> str:
        """Where a reader finds it."""
        return f"{self.page}:{self.line}"


def blocks_of(text: str, page: str) -> list[Block]:
    """Blocks of a page, in order. Raises `ValueError` for one that is neither run, nor shown, nor marked with a reason."""
    found = []
    for match in _FENCE.finditer(text):
        block = Block(
            page, text.count("\n", 0, match.start("body")), match["language"], match["body"], _reason(match["marker"])
        )
        if block.language not in RUNNABLE + SHOWN:
            raise ValueError(f"{block.place}: a block of {block.language!r}; use one of {RUNNABLE + SHOWN}")
        if match["marker"] and len(block.reason.split()) < LEAST_WORDS:
            raise ValueError(f"{block.place}: the marker must be `not run: ` and why, in {LEAST_WORDS} words or more")
        found.append(block)
    return found


def _reason(marker: str | None) -> str:
    return marker.removeprefix("not run: ") if marker and marker.startswith("not run: ") else ""


def commands_of(body: str) -> Iterator[list[str]]:
    """Words of each command line of a shell block, comments and settings of variables before a command aside."""
    for line in body.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"\w+=.*", words[0]):
            del words[0]
        if words:
            yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


def inline_commands(text: str) -> list[str]:
    """Commands named in running text."""
    return _INLINE.findall(_FENCE.sub("", text))


def named_paths(text: str) -> set[str]:
    """Files and folders of the repository named in running text."""
    return set(_PATH.findall(_FENCE.sub("", text)))


def fault(words: list[str]) -> str:
    """What is wrong with a call of seg5b or of make; empty if nothing is, or if it is another program's."""
    if words[0] == "make":
        unknown = [word for word in words[1:] if "=" not in word and word not in targets()]
        return f"the Makefile has no target {unknown[0]}" if unknown else ""
    return _fault_of_seg5b(words[1:]) if words[0] == "seg5b" else ""


def targets() -> set[str]:
    """Targets of the Makefile."""
    text = (ROOT / "Makefile").read_text("utf-8")
    return {name for names in _TARGET.findall(text) for name in names.split()}


def _fault_of_seg5b(words: list[str]) -> str:
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return f"seg5b has no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    known = {name for parameter in command.get_params(click.Context(command)) for name in parameter.opts}
    unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]
    return f"{command.name} has no option {unknown[0]}" if unknown else ""
