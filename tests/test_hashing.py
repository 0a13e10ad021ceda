"""One hasher of files and one canonical JSON for the whole product."""

from __future__ import annotations

import ast
import hashlib
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import seg5b
from seg5b import hashing
from seg5b.canonical_json import canonical_json, plain

PACKAGE = Path(seg5b.__file__).parent
_HASHERS = {"sha256", "sha256_hex"}


def _calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")), node


def _reads_a_file(call: ast.Call) -> bool:
    inner = [node for argument in call.args for node in ast.walk(argument)]
    return any(isinstance(node, ast.Attribute) and node.attr == "read_bytes" for node in inner)


def test_files_are_hashed_in_one_place() -> None:
    """The two ways to hash a file by hand: `hashlib.file_digest`, and a hash of ``read_bytes()``."""
    found = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != PACKAGE / "hashing.py"
        for name, call in _calls(path)
        if (name == "file_digest" and isinstance(call.func, ast.Attribute))
        or (name in _HASHERS and _reads_a_file(call))
    ]
    assert found == []


def test_all_ways_of_the_hasher_give_the_same_digest(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"one" * 500_000)
    second.write_bytes(b"two")
    own = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second)]
    whole = hashlib.sha256(first.read_bytes() + second.read_bytes()).hexdigest()
    assert [hashing.sha256_file(path) for path in (first, second)] == own
    assert [hashing.remembered_sha256(path) for path in (first, second)] == own
    assert hashing.tree_digests(tmp_path) == dict(zip("ab", own, strict=True))
    assert hashing.concatenated_sha256([first, second]) == whole
    running = hashing.ConcatenatedSha256()
    assert [running.add(path) for path in (first, second)] == own
    assert running.hexdigest() == whole
    heard: list[int] = []
    found = hashing.file_digests([first, tmp_path / "absent", second], threads=2, done=heard.append)
    assert [each.sha256_hex for each in found] == [own[0], None, own[1]]
    assert [each.size_bytes for each in found] == [1_500_000, None, 3]
    assert heard == [1, 2, 3]


def test_canonical_json_refuses_what_plain_makes_null() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": math.nan})
    with pytest.raises(TypeError):
        canonical_json({"a": Path("x")})
    assert canonical_json(plain({"b": math.inf, "a": Decimal("0.5"), 3: {1}})) == b'{"3":[1],"a":0.5,"b":null}'
    assert canonical_json({"a": Path("x")}, default=str) == b'{"a":"x"}'
