"""What a disk may hold after a power cut, from the shim's journal of everything that changed it.

The disk promises little. Bytes of a file last once that file was synced, names in a folder once that folder was; of everything
else any part may be there or not, in any order, and a write may be there by half. Renames happen or do not.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True, eq=False)
class Node:
    """A file (``entries`` is None) or a folder."""

    content: bytearray = field(default_factory=bytearray)
    entries: dict[str, Node] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the journal: C file or link, D folder, R rename, U unlink, W write, T truncate, F sync."""

    kind: str
    a: int
    b: int
    c: int
    data: bytes

    @property
    def of_names(self) -> bool:
        """Whether it changes a folder, and not a file."""
        return self.kind in "CDRU"


def read(journal: Path) -> list[Entry]:
    """All entries of a journal."""
    raw, at, found = journal.read_bytes(), 0, []
    while at < len(raw):
        end = raw.index(b"\n", at)
        kind, *numbers = raw[at:end].split()
        a, b, c, length = map(int, numbers)
        found.append(Entry(kind.decode(), a, b, c, raw[end + 1 : end + 1 + length]))
        at = end + 1 + length
    return found


def scan(folder: Path, nodes: dict[int, Node]) -> Node:
    """The tree below a folder; ``nodes`` learns which inode is which."""
    node = nodes[folder.stat().st_ino] = Node(entries={})
    assert node.entries is not None
    for path in folder.iterdir():
        if path.is_dir():
            node.entries[path.name] = scan(path, nodes)
        else:
            child = nodes.setdefault(path.stat().st_ino, Node(bytearray(path.read_bytes())))
            node.entries[path.name] = child
    return node


@dataclass(slots=True)
class Step:
    """An entry with the nodes that it speaks of; ``lasting``: a sync came after it."""

    entry: Entry
    home: Node
    """The file that was written, or the folder whose sync makes the name last."""
    node: Node
    """The file or folder that a name was given to."""
    source: Node | None = None
    lasting: bool = False


def _steps(entries: Iterable[Entry], nodes: dict[int, Node]) -> list[Step]:
    """Entries with their nodes. An inode number that is given a second time is another node."""
    found: list[Step] = []
    pending: dict[int, list[Step]] = {}
    nowhere = Node(entries={})
    for entry in entries:
        if entry.kind == "F":
            home = nodes.get(entry.a, nowhere)
            for step in pending.pop(id(home), []):
                step.lasting = True
            continue
        source = None
        if entry.kind in "CD" and entry.c == 0:
            nodes[entry.b] = Node(entries={} if entry.kind == "D" else None)
        if entry.kind == "R":
            home, node, source = (nodes.get(number, nowhere) for number in (entry.b, entry.c, entry.a))
        else:
            home, node = nodes.get(entry.a, nowhere), nodes.get(entry.b, nowhere)
        step = Step(entry, home, node, source)
        found.append(step)
        pending.setdefault(id(home), []).append(step)
    return found


Loss = Callable[[Step], float]
"""What is left of a step that does not last: 0 nothing, 1 all of it, between them the first part of a write."""


def loss_of(mode: str, seed: int) -> Loss:
    """``nothing``: only what lasts is left. ``names``: also all names, no bytes. ``bytes``: also all bytes, no names.
    ``some``: names of each folder up to some moment; of bytes this and that, some by half."""
    chance = random.Random(seed)
    ends: dict[int, float] = {}
    order: dict[int, int] = {}

    def some(step: Step) -> float:
        if step.entry.of_names:
            order[id(step.home)] = order.get(id(step.home), 0) + 1
            return float(order[id(step.home)] <= ends.setdefault(id(step.home), chance.choice((0, 1, 2, 4, 8, 1e9))))
        return chance.choice((0.0, chance.random(), 1.0))

    modes: dict[str, Loss] = {
        "nothing": lambda _: 0.0,
        "names": lambda step: float(step.entry.of_names),
        "bytes": lambda step: float(not step.entry.of_names),
        "some": some,
    }
    return modes[mode]


def after_cut(root: Node, entries: list[Entry], nodes: dict[int, Node], loss: Loss) -> Node:
    """The tree that is found after a cut behind ``entries``. ``root`` and ``nodes`` are used up."""
    for step in _steps(entries, nodes):
        left = 1.0 if step.lasting else loss(step)
        if left and step.entry.of_names:
            _name(step)
        elif left:
            _bytes(step, left)
    return root


def _name(step: Step) -> None:
    entry, home = step.entry, step.home.entries
    name = os.fsdecode(entry.data)
    if home is None:
        return
    if entry.kind == "U":
        home.pop(name, None)
    elif entry.kind == "R":
        old, _, name = name.partition("/")
        if step.source is not None and step.source.entries is not None:
            step.source.entries.pop(old, None)
        home[name] = step.node
    else:
        home[name] = step.node


def _bytes(step: Step, left: float) -> None:
    entry, content = step.entry, step.home.content
    if entry.kind == "T":
        length = entry.b
        content[:] = content[:length].ljust(length, b"\0")
        return
    data = entry.data[: max(1, int(left * len(entry.data)))]
    content.extend(b"\0" * (entry.b - len(content)))
    content[entry.b : entry.b + len(data)] = data


def write(node: Node, folder: Path) -> None:
    """Write a tree to a folder that does not exist; files with two names get two copies."""
    folder.mkdir()
    for name, child in (node.entries or {}).items():
        if child.entries is None:
            (folder / name).write_bytes(child.content)
        else:
            write(child, folder / name)
