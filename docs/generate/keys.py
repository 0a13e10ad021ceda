"""Documentation lines of policies as records.

A record starts with ``#: <key>:`` and goes on in lines whose text is indented by three blanks. Its form:

    #: key: meaning. Unit: unit. Read by reader. Free: legal values; condition, e.g. value.
    #: key: meaning. Not read; required by the contract. Fixed.
    #: key: meaning. Read by reader. Absent as shipped. Free: legal values, e.g. value.

The last is of a key that may be left out, and that the shipped policy leaves out. Unit, condition and example are optional;
"allowed" stands where the contract does not require the key. Keys are dotted from the top of the policy.
``families[].module`` is a key of every item of a list, ``*`` any one name. Any other
documentation line is a note on the records that follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.policy.documentation import MARK

_STARTS = re.compile(r"(?P<key>[\w.*\[\]]+): (?P<text>.+)")
_RECORD = re.compile(
    r"(?P<meaning>.+?)\. (?:Unit: (?P<unit>.+?)\. )?"
    r"(?:Read by (?P<reader>.+?)|Not read; (?P<unread>required|allowed) by the contract)\. "
    r"(?P<absent>Absent as shipped\. )?"
    r"(?:Fixed|Free: (?P<legal>.+?)(?:; (?P<condition>.+?))?(?:, e\.g\. (?P<example>.+))?)\."
)
_CONTINUES = "   "


@dataclass(frozen=True, slots=True)
class KeyDoc:
    """What a policy says about one key.

    ``reader``: who reads it, empty where nothing does; ``absent``: the shipped policy does not have the key; ``legal``: the
    values that a user may choose from, empty where the key is fixed; ``condition``: what else they must obey; ``example``:
    another legal value, as YAML; ``note``: text that stands before the record.
    """

    key: str
    meaning: str
    unit: str
    reader: str
    required: bool
    absent: bool
    legal: str
    condition: str
    example: str
    note: str

    @property
    def fixed(self) -> bool:
        """Whether the key has one legal value."""
        return not self.legal

    def names(self, key: str) -> bool:
        """Whether this is the record of a key as `leaves` names it."""
        wanted, given = self.key.split("."), key.split(".")
        return len(wanted) == len(given) and all(w in ("*", g) for w, g in zip(wanted, given, strict=True))


def documentation_file(policy: Path) -> Path:
    """Where a policy is documented: in itself, or, as JSON has no comments, in a text file beside it."""
    return policy.with_suffix(".keys.txt") if policy.suffix == ".json" else policy


def read_documentation(text: str) -> tuple[KeyDoc, ...]:
    """Records of a policy's text, in order. Raises `ValueError` for a record that has not the form."""
    records, note = [], ""
    for paragraph in _paragraphs(text):
        found = _STARTS.fullmatch(paragraph)
        if found is None:
            note = f"{note} {paragraph}".strip()
        else:
            records.append(_record(found["key"], found["text"], note))
            note = ""
    return tuple(records)


def leaves(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """(path, value) of everything in a policy that is no mapping and no list of mappings, in file order."""
    if isinstance(node, Mapping):
        for name, child in node.items():
            yield from leaves(child, (*path, name))
    elif isinstance(node, list) and node and all(isinstance(item, Mapping) for item in node):
        for index, child in enumerate(node):
            yield from leaves(child, (*path, index))
    else:
        yield path, node


def key_of(path: Sequence[str | int]) -> str:
    """Dotted key of a path; the place in a list is ``[]``."""
    return "".join("[]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _paragraphs(text: str) -> Iterator[str]:
    """Documentation lines with their continuations joined."""
    lines = [line.strip().removeprefix(MARK) for line in text.splitlines() if line.lstrip().startswith(MARK)]
    joined: list[str] = []
    for line in lines:
        if line.startswith(_CONTINUES) and joined:
            joined[-1] += f" {line.strip()}"
        else:
            joined.append(line.strip())
    yield from joined


def _record(key: str, text: str, note: str) -> KeyDoc:
    found = _RECORD.fullmatch(text)
    if found is None:
        raise ValueError(f"{key}: {text!r} has not the form of a record")
    return KeyDoc(
        key,
        found["meaning"],
        found["unit"] or "",
        found["reader"] or "",
        found["unread"] != "allowed",
        found["absent"] is not None,
        found["legal"] or "",
        found["condition"] or "",
        found["example"] or "",
        note,
    )
