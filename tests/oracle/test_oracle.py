"""The oracle stands alone: published answers without the product, and no import of it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.oracle import alias, randomness

FILES = sorted(file for file in Path(__file__).parent.glob("*.py") if not file.name.startswith("test_"))
OUTSIDE = {"scipy"}
Answers = Callable[[str], list[list[str]]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_line_of_the_product(file: Path) -> None:
    """The standard library, scipy, and the oracle itself."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.split(".")[0] in sys.stdlib_module_names | OUTSIDE or name.startswith("tests.oracle."), name


def test_known_blocks(known_answers: Answers) -> None:
    for low, high, key, *words in ([int(field, 16) for field in fields] for fields in known_answers("philox")):
        counter = high << 64 | low
        assert list(randomness.philox(counter, key)) == words
        assert randomness.counter_of((words[0], words[1]), key) == counter


def test_known_streams(known_answers: Answers) -> None:
    for sep, family, manifest, parameters, seed, scenario, domain, *answer in known_answers("stream"):
        stream = randomness.stream(randomness.message(sep, family, manifest, parameters, int(seed), scenario, domain))
        key, high, low, *words = (int(field, 16) for field in answer)
        assert stream == (key, high << 64 | low)
        assert list(randomness.words(stream, 0)) == words


def test_known_tables(known_answers: Answers) -> None:
    for weights, probability, aliases in known_answers("alias"):
        table = alias.vose([float(field) for field in weights.split(",")])
        assert [each for each, _ in table] == [float(field) for field in probability.split(",")]
        assert ",".join(str(each) for _, each in table) == aliases


def test_known_picks(known_answers: Answers) -> None:
    for weights, u, entry in known_answers("pick"):
        assert alias.pick(alias.vose([float(field) for field in weights.split(",")]), float(u)) == int(entry)
