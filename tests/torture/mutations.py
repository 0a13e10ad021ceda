"""Files of every kind, mutated at random and fixed by a seed: each reader succeeds or raises one typed error, in bounded time
(law L16). `tests.torture.inputs` makes cases of them, `test_mutations` tests of the first few of each kind."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from seg5b.contracts import ContractSource, load_yaml
from seg5b.contracts.dictionary import parse_dictionary
from seg5b.contracts.registry import parse_registry
from seg5b.errors import MOST_CHARACTERS, Seg5bError
from seg5b.resources import resource_root
from seg5b.runs.root import RunRoot
from tests.policies import KINDS
from tests.torture.readers import JSON, PARQUET, Read, file_of, readers_of

SECONDS = 2.0
"""A reader takes milliseconds; what is quadratic or endless takes longer than this."""
WORDS: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**64,
    10**30,
    1e300,
    "",
    "x" * 5000,
    "\0",
    "\u2028",
    "../..",
    [],
    {},
    [[]],
    {"": None},
)
"""What stands in the place of a value of JSON."""
SCALARS = (
    "null",
    "010",
    "1:00:00",
    "!!int x",
    "!!timestamp x",
    "!!bool y",
    "!!float ''",
    "[]",
    "{a: 1}",
    "&a [*a]",
    ".nan",
    "- -",
    "-1",
    "1e308",
    "'x'",
)
"""What stands in the place of a value of YAML."""


@dataclass(slots=True)
class Tally:
    """What readers made of inputs: how many, how often each code (``read`` where they were taken), the longest time, and what
    was wrong: no typed error, one that does not say enough, or too much time."""

    inputs: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def read(self, read: Read, file: Path, said: str, seconds: float = SECONDS) -> None:
        """Have a file read; ``said`` says which and what was done to it."""
        began, computed = time.monotonic(), time.process_time()
        try:
            read(file)
            code = "read"
        except Seg5bError as error:
            code = error.code
            if not (len(error.what) <= MOST_CHARACTERS and error.where and error.remedy):
                self.wrong.append(f"{said}: {code} does not say what, where and what to do in few words")
        except Exception as error:
            code = type(error).__name__
            self.wrong.append(f"{said}: {code}: {str(error)[:160]}")
        took, computed = time.monotonic() - began, time.process_time() - computed
        if computed > seconds:  # by its own clock: others may be at work beside it
            self.wrong.append(f"{said}: computed for {computed:.1f} s")
        self.inputs += 1
        self.codes[code] += 1
        self.longest_s = max(self.longest_s, took)


def _shared(names: tuple[str, ...], count: int) -> Iterator[tuple[str, int]]:
    """Each name with its share of a count."""
    for number, name in enumerate(names):
        yield name, count * (number + 1) // len(names) - count * number // len(names)


def json_inputs(root: RunRoot, count: int, tally: Tally) -> None:
    """Values of JSON replaced by others, keys dropped."""
    for name, share in _shared(JSON, count):
        chance, file, read = random.Random(name), file_of(root, name), readers_of(root)[name]
        sound = file.read_bytes()
        for turn in range(share):
            file.write_bytes(mutated_json(sound, chance))
            tally.read(read, file, f"{name}, turn {turn}")
        file.write_bytes(sound)


def mutated_json(sound: bytes, chance: random.Random) -> bytes:
    """A document with one value replaced by another, or gone."""
    document = json.loads(sound)
    place: Any = document
    while True:
        key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not (isinstance(place[key], dict | list) and place[key]) or chance.random() < 0.2:
            break
        place = place[key]
    if chance.random() < 0.3:
        del place[key]
    else:
        place[key] = chance.choice(WORDS)
    return json.dumps(document).encode()


def byte_inputs(root: RunRoot, names: tuple[str, ...], count: int, tally: Tally) -> None:
    """Bytes of files changed."""
    for name, share in _shared(names, count):
        chance, file, read = random.Random(f"bytes {name}"), file_of(root, name), readers_of(root)[name]
        sound = file.read_bytes()
        read(file)
        for turn in range(share):
            file.write_bytes(mutated(sound, chance))
            tally.read(read, file, f"bytes of {name}, turn {turn}")
        file.write_bytes(sound)


def parquet_inputs(root: RunRoot, count: int, tally: Tally) -> None:
    """Each column as another type, twice, missing, with nulls and with texts that are none; the rest of ``count`` are bytes."""
    for name, share in _shared(PARQUET, count):
        file, read = file_of(root, name), readers_of(root)[name]
        sound = file.read_bytes()
        table = pq.ParquetFile(file).read().slice(0, 500)
        changes = [
            (f"{name}, {column} {kind}", changed)
            for at, column in enumerate(table.schema.names)
            for kind, changed in columns(table, at).items()
        ]
        for said, changed in changes[:: max(1, len(changes) // max(1, share))][:share]:
            pq.write_table(changed, file)
            tally.read(read, file, said)
        file.write_bytes(sound)
    byte_inputs(root, PARQUET, count // 3, tally)


def columns(table: pa.Table, at: int) -> dict[str, pa.Table]:
    """A table with the column at a place in every form that it should not have, by what was done."""
    name, rows = table.schema.names[at], table.num_rows
    values = {
        "decimal": pa.array([1] * rows, pa.decimal128(20, 3)),
        "nested": pa.array([[1]] * rows),
        "struct": pa.array([{"a": 1}] * rows),
        "null": pa.nulls(rows),
        "text": pa.array(["one"] * rows),
        "bytes": pa.array([b"\xff"] * rows),
        "not UTF-8": pa.Array.from_buffers(pa.string(), rows, pa.array([b"\xff\xfe"] * rows, pa.binary()).buffers()),
        "long text": pa.array(["x" * 5000] * rows),
        "negative": pa.array([-1] * rows),
        "date": pa.array([0] * rows, pa.date32()),
        "infinite": pa.array([float("inf")] * rows),
        "huge": pa.array([2**64 - 1] * rows, pa.uint64()),
    }
    changed = {kind: table.set_column(at, name, column) for kind, column in values.items()}
    return {**changed, "twice": table.append_column(name, table.column(at)), "gone": table.remove_column(at)}


def yaml_inputs(folder: Path, count: int, tally: Tally) -> None:
    """Policies, and a few contracts, with scalars and bytes replaced."""
    contracts = ContractSource.packaged()
    readers: dict[str, Read] = {
        "contracts/dataset_dictionary/l2/seg_5B/layer2.5B.yaml": lambda file: parse_dictionary(
            load_yaml(file), "5B", "here"
        ),
        "contracts/artefact_registry/artefact_registry_5B.yaml": lambda file: parse_registry(
            load_yaml(file), "5B", "here"
        ),
    }
    for name, kind in KINDS.items():
        readers[contracts.dictionary().entry(name).path] = partial(kind.load, contracts=contracts)
    for name, share in _shared(tuple(readers), count):
        chance, sound = random.Random(name), (resource_root() / name).read_text("utf-8")
        file = folder / Path(name).name
        for turn in range(share):
            content, said = mutated_yaml(sound, chance)
            file.write_bytes(content)
            tally.read(readers[name], file, f"{name}, turn {turn}: {said}")


def mutated_yaml(sound: str, chance: random.Random) -> tuple[bytes, str]:
    """A document with the value of a line replaced, and of every third one bytes too; and the line."""
    lines = sound.splitlines()[:150]
    at = chance.choice([number for number, line in enumerate(lines) if ":" in line] or [0])
    lines[at] = f"{lines[at].partition(':')[0]}: {chance.choice(SCALARS)}"
    content = "\n".join([*lines, *sound.splitlines()[150:]]).encode()
    return (content if chance.randrange(3) else mutated(content, chance)), lines[at]


def mutated(sound: bytes, chance: random.Random) -> bytes:
    """Bytes with a bit flipped, a stretch cut, doubled, zeroed or replaced."""
    raw = bytearray(sound)
    at = chance.randrange(len(raw))
    stop = min(at + chance.randrange(1, 64), len(raw))
    kind = chance.randrange(6)
    if kind == 0:
        raw[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del raw[at:]
    elif kind == 2:
        raw[at:at] = raw[at:stop]
    elif kind == 3:
        raw[at:stop] = bytes(stop - at)
    elif kind == 4:
        raw[at:stop] = chance.randbytes(stop - at)
    else:
        raw[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b'"}],'))
    return bytes(raw)
