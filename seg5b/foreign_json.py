"""JSON that may hold anything, read with limits and a form (law L16, docs/laws#foreign-bytes).

Every JSON file and JSON line is read here. Refused are more than `MOST_BYTES`, what is not UTF-8, repeated keys, numbers
that are not finite or longer than `MOST_DIGITS` characters, lone surrogates, and more than `DEEPEST` levels. Reading takes
time and memory in proportion to the text.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn, TypeAlias

from seg5b.errors import shown

MOST_BYTES: Final = 1 << 26
MOST_DIGITS: Final = 64
DEEPEST: Final = 64
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_SHA256: Final = re.compile("[a-f0-9]{64}")


class ForeignJsonError(ValueError):
    """A text that is not JSON, or not JSON of the form that was asked for; it says why."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that ``holds`` recognises; ``words`` say what it should be."""

    words: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Maybe:
    """A key that may be absent; if it is there, its value has the ``form``."""

    form: Form


@dataclass(frozen=True, slots=True)
class OrNull:
    """A value of the ``form``, or null."""

    form: Form


@dataclass(frozen=True, slots=True)
class Each:
    """An object with any keys, whose values all have the ``form``."""

    form: Form


Form: TypeAlias = Leaf | Maybe | OrNull | Each | Mapping[str, "Form"] | list["Form"]
"""What is read of a document. A mapping: an object with these keys, others being allowed; a list of one form: an array of
such values."""

ANY = Leaf("anything", lambda value: True)
OBJECT = Leaf("an object", lambda value: isinstance(value, dict))
TEXT = Leaf("a text", lambda value: isinstance(value, str))
COUNT = Leaf("a whole number from 0 to 2^64 - 1", lambda value: type(value) is int and 0 <= value < 1 << 64)
INTEGER = Leaf("a whole number", lambda value: type(value) is int)
NUMBER = Leaf("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool))
SHA256 = Leaf(
    "64 lowercase hexadecimal digits", lambda value: isinstance(value, str) and bool(_SHA256.fullmatch(value))
)


def read_json(path: Path, form: Form = ANY) -> Any:
    """Value of a JSON file that has the ``form``. Raises `OSError`, `ForeignJsonError`."""
    return checked(parse_json(_content(path)), form)


def read_json_lines(path: Path, form: Form = OBJECT) -> list[Any]:
    """Values of a file of JSON lines, each of the ``form``; empty lines are left out. Raises `OSError`,
    `ForeignJsonError`, which names the line."""
    values = []
    for number, line in enumerate(_content(path).split(b"\n"), 1):
        if line.strip():
            try:
                values.append(checked(parse_json(line), form))
            except ForeignJsonError as cause:
                raise ForeignJsonError(f"line {number}: {cause}") from cause
    return values


def parse_json(content: bytes) -> Any:
    """Value of one JSON text. Raises `ForeignJsonError`."""
    if len(content) > MOST_BYTES:
        raise ForeignJsonError(f"more than {MOST_BYTES} bytes")
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_integer,
        )
    except ForeignJsonError:
        raise
    except RecursionError:
        raise ForeignJsonError("nested too deeply") from None
    except ValueError as cause:
        raise ForeignJsonError(str(cause)) from cause
    _refuse_depth(value)
    if _SURROGATE.search(content):
        _refuse_surrogates(value)
    return value


def checked(value: Any, form: Form, path: str = "$") -> Any:
    """``value``, when it has the ``form``. Raises `ForeignJsonError` with the JSON path and value of what differs."""
    if isinstance(form, OrNull) and value is None:
        return value
    if isinstance(form, Maybe | OrNull):
        return checked(value, form.form, path)
    if isinstance(form, Leaf):
        if not form.holds(value):
            raise ForeignJsonError(f"{path} is {shown(value)}, not {form.words}")
    elif isinstance(form, list):
        _of_type(value, list, "an array", path)
        for index, item in enumerate(value):
            checked(item, form[0], f"{path}[{index}]")
    elif isinstance(form, Each):
        _of_type(value, dict, "an object", path)
        for key, item in value.items():
            checked(item, form.form, f"{path}.{shown(key)}")
    else:
        _of_type(value, dict, "an object", path)
        for key, inner in form.items():
            if key in value:
                checked(value[key], inner, f"{path}.{key}")
            elif not isinstance(inner, Maybe):
                raise ForeignJsonError(f"{path} has no {key}")
    return value


def float_texts(value: Any) -> Any:
    """A value that holds numbers and no texts, every float as the text of its bits: JSON knows no infinities."""
    if isinstance(value, Mapping):
        return {key: float_texts(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [float_texts(each) for each in value]
    return value.hex() if isinstance(value, float) else value


def float_values(value: Any) -> Any:
    """What `float_texts` was given, tuples as lists, from what it made of that. Raises `ForeignJsonError`."""
    if isinstance(value, dict):
        return {key: float_values(each) for key, each in value.items()}
    if isinstance(value, list):
        return [float_values(each) for each in value]
    if not isinstance(value, str):
        return value
    try:
        return float.fromhex(value)
    except (ValueError, OverflowError):
        raise ForeignJsonError(f"{shown(value)} is no float") from None


def _content(path: Path) -> bytes:
    """Bytes of a regular file, one more than allowed at most. Opening a pipe would wait for whoever writes to it."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ForeignJsonError("is not a regular file")
    with path.open("rb") as file:
        return read_at_most(file, MOST_BYTES)


def read_at_most(file: BinaryIO, most: int) -> bytes:
    """Content of a file, but at most one byte more than ``most``. Raises `OSError`.

    A read reserves what it is asked for, however small the file is: it is asked for the size, and for a byte more.
    """
    return file.read(min(os.fstat(file.fileno()).st_size, most) + 1)


def _of_type(value: Any, kind: type, words: str, path: str) -> None:
    if not isinstance(value, kind):
        raise ForeignJsonError(f"{path} is {shown(value)}, not {words}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise ForeignJsonError(f"key {shown(name)} appears twice in one object")
        fields[name] = value
    return fields


def _refuse_depth(value: Any) -> None:
    """What checks and prints a value recurses into it; no document is deeper than a few levels."""
    level = [value]
    for _ in range(DEEPEST):
        nested = (item for item in level if isinstance(item, dict | list))
        level = [child for item in nested for child in (item.values() if isinstance(item, dict) else item)]
    if level:
        raise ForeignJsonError(f"nested more than {DEEPEST} deep")


def _refuse_surrogates(value: Any) -> None:
    """Half of a pair is no character: it cannot be written again."""
    for text in _texts(value):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ForeignJsonError(f"{shown(text)} holds a lone surrogate") from None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ForeignJsonError(f"{shown(text)} has more than {MOST_DIGITS} digits")
    return int(text)


def _finite(text: str) -> float:
    if len(text) > MOST_DIGITS:
        raise ForeignJsonError(f"{shown(text)} has more than {MOST_DIGITS} digits")
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ForeignJsonError(f"{text} is not a finite number")
