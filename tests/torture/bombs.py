"""Inputs that once took readers minutes, all of the memory or by surprise, by name, with the error that each must end in."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from seg5b.clocks import MOST_ZONES, read_tz_cache
from seg5b.contracts import load_json, load_yaml
from seg5b.inputs.profile import read_virtual_modes
from tests.torture.mutations import Tally
from tests.torture.readers import CODE

MANY = 60_000
KEYS = ",".join(f'"k{number}":1' for number in range(MANY))
JSON = {
    "a key twice among many": (f'{{{KEYS},"k7":1}}', "'k7' appears twice"),
    "many digits": ("1" * 5000, "more than 64 digits"),
    "a long fraction": (f"0.{'1' * 5000}", "more than 64 digits"),
    "half a pair": (r'{"a": "\ud800"}', "lone surrogate"),
    "beyond float": ("1e400", "not a finite number"),
}
"""JSON, and what is said of it."""
YAML = {
    "octal": "a: 010\n",
    "sexagesimal": "a: 1:00:00\n",
    "sexagesimal fraction": "a: 1:00.5\n",
    "many digits": f"a: {'1' * 3000}\n",
    "tag of a number": "a: !!int ''\n",
    "tag of a switch": "a: !!bool perhaps\n",
    "tag of a moment": "a: !!timestamp soon\n",
    "holds itself": "a: &a [*a]\n",
    "deep": f"a: {'[' * 90}{']' * 90}\n",
    "aliases": "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)),
    "merges": "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 9)),
    "a key twice among many": "".join(f"k{n}: 1\n" for n in range(20_000)) + "k7: 1\n",
}  # fmt: skip
"""YAML."""
ONE = pa.array([1], pa.uint64())
MODES = {
    "twice": (pa.table([ONE, ONE, ["HYBRID"]], ["merchant_id", "merchant_id", "virtual_mode"]), "occurs 2 times"),
    "nested": (pa.table({"merchant_id": [[1]], "virtual_mode": ["HYBRID"]}), "it is nested"),
    "decimal": (
        pa.table({"merchant_id": pa.array([1], pa.decimal128(9, 2)), "virtual_mode": ["HYBRID"]}),
        "does not convert",
    ),
    "text": (pa.table({"merchant_id": ["1"], "virtual_mode": ["HYBRID"]}), "not a number"),
    "number": (pa.table({"merchant_id": ONE, "virtual_mode": [1]}), "not a text"),
    "not UTF-8": (
        pa.table(
            {
                "merchant_id": ONE,
                "virtual_mode": pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"], pa.binary()).buffers()),
            }
        ),
        "does not convert to text",
    ),
    "long text": (pa.table({"merchant_id": ONE, "virtual_mode": ["x" * 5000]}), "a text of 5000 bytes"),
    "bomb": (pa.table({"merchant_id": ONE, "virtual_mode": ["x" * 5_000_000]}), "declares"),
    "many columns": (pa.table({f"c{n}": [1] for n in range(2000)}), "are missing"),
}
"""Parquet files of virtual modes, and what is said of them."""


def cache(zones: int, name: Callable[[int], bytes] = lambda zone: b"Z/%d" % zone, offset: int = 0) -> bytes:
    """A cache of so many zones, each with one offset."""
    parts = [b"TZC1", struct.pack("<HI", 1, zones)]
    for zone in range(zones):
        parts += [struct.pack("<H", len(name(zone))), name(zone), struct.pack("<Iqi", 1, -(2**63), offset)]
    return b"".join(parts)


CACHES = {
    "many zones": (cache(300_000), f"300000 zones, not 1 to {MOST_ZONES}"),
    "no zone": (cache(0), "0 zones"),
    "a zone twice": (cache(MOST_ZONES, lambda zone: b"Z/%d" % (zone % (MOST_ZONES - 1))), "occurs twice"),
    "control characters": (cache(1, lambda _: b"a\0b"), "not printable"),
    "a long name": (cache(1, lambda _: b"a" * 60_000), "too long"),
    "first offset": (cache(1, offset=2**31 - 1), "beyond"),
    "smallest offset": (cache(1, offset=-(2**31)), "beyond"),
}
"""Time-zone caches, and what is said of them."""
_HUGE = 100_000_000
BOMB_SECONDS = 10.0
"""No bomb takes a second to refuse on a machine that does nothing else; what is quadratic takes minutes."""


def bomb_inputs(folder: Path, tally: Tally) -> None:
    """Have each of them read, and some that are too large for a test."""
    for name, (text, _) in JSON.items():
        (folder / "a.json").write_text(text)
        tally.read(load_json, folder / "a.json", f"JSON: {name}", BOMB_SECONDS)
    for name, text in {**YAML, "a long text": f"a: {'x' * 20_000_000}"}.items():
        (folder / "a.yaml").write_text(text)
        tally.read(load_yaml, folder / "a.yaml", f"YAML: {name}", BOMB_SECONDS)
    ones = pa.array([1], pa.uint64())
    large = pa.table({"merchant_id": ones, "virtual_mode": ["x" * _HUGE]})
    for name, table in {**{name: table for name, (table, _) in MODES.items()}, "100 MB in one text": large}.items():
        pq.write_table(table, folder / "a.parquet", compression="zstd")
        tally.read(
            lambda file: read_virtual_modes([file], code=CODE), folder / "a.parquet", f"Parquet: {name}", BOMB_SECONDS
        )
    for name, (raw, _) in CACHES.items():
        (folder / "a.bin").write_bytes(raw)
        tally.read(lambda file: read_tz_cache(file, code=CODE), folder / "a.bin", f"cache: {name}", BOMB_SECONDS)
