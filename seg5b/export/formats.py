"""Which format a target gets, and in which form ids stand in it: one rule for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from typing import Final

from seg5b.errors import InputError
from seg5b.tables.outgoing import IdForm


class Format(Enum):
    """What an export is written as."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"
    ARROW = "arrow"
    DELTA = "delta"
    ICEBERG = "iceberg"


TEXTS: Final = (Format.CSV, Format.JSONL)
LAKES: Final = (Format.DELTA, Format.ICEBERG)
_UNKNOWN, _CONTRADICTION = "5B.EXPORT.FORMAT_UNKNOWN", "5B.EXPORT.FORMAT_CONTRADICTION"
_SUFFIXES: Final = {
    ".parquet": Format.PARQUET,
    ".csv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".arrow": Format.ARROW,
    ".feather": Format.ARROW,
}
_PACKED: Final = {".gz": "gzip", ".zst": "zstd"}
_OTHERS: Final = frozenset(
    (
        *(".avro", ".bz2", ".db", ".duckdb", ".h5", ".hdf5", ".json", ".lz4", ".orc", ".pickle", ".pkl", ".sas7bdat"),
        *(".sqlite", ".tsv", ".xls", ".xlsx", ".xz", ".zip", ".7z"),
    )
)
"""Suffixes that promise readers something else than is written here."""
COMPRESSIONS: Final[Mapping[Format, Sequence[str]]] = {
    Format.PARQUET: ("snappy", "zstd", "gzip", "lz4", "none"),
    Format.ARROW: ("none", "zstd", "lz4"),
    Format.CSV: ("none", "gzip", "zstd"),
    Format.JSONL: ("none", "gzip", "zstd"),
    Format.DELTA: (),
    Format.ICEBERG: (),
}
"""What each format may be compressed with, the usual one first."""
IDS: Final[Mapping[Format, Sequence[IdForm]]] = {
    Format.PARQUET: (IdForm.UINT64, IdForm.INT64, IdForm.STRING, IdForm.PREFIXED),
    Format.ARROW: (IdForm.UINT64, IdForm.INT64, IdForm.STRING, IdForm.PREFIXED),
    Format.CSV: (IdForm.PREFIXED, IdForm.UINT64, IdForm.INT64, IdForm.STRING),
    Format.JSONL: (IdForm.PREFIXED, IdForm.UINT64, IdForm.INT64, IdForm.STRING),
    Format.DELTA: (IdForm.STRING, IdForm.INT64, IdForm.PREFIXED),
    Format.ICEBERG: (IdForm.STRING, IdForm.INT64, IdForm.PREFIXED),
}
"""The forms of ids in each format, the usual one first: numbers where the format has unsigned ones, text where it has types,
and text that no reader takes for a number where readers guess types (docs/laws#export-form)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Format, compression and form of ids of an export."""

    format: Format
    compression: str
    ids: IdForm

    @property
    def suffix(self) -> str:
        """What the name of a file of it ends in."""
        packed = {"gzip": ".gz", "zstd": ".zst"}.get(self.compression, "") if self.format in TEXTS else ""
        return f".{self.format.value}{packed}"


def shape_of(out: str, format_name: str | None, compression: str | None, ids: str | None) -> Shape:
    """The shape that a target asks for by its name, or the caller in words, when the two agree.

    Raises `InputError` ``5B.EXPORT.FORMAT_UNKNOWN`` where neither says, ``5B.EXPORT.FORMAT_CONTRADICTION`` where they differ,
    ``5B.EXPORT.COMPRESSION_UNKNOWN``, ``5B.EXPORT.IDS_UNKNOWN``.
    """
    named, packed = _by_name(out)
    asked = Format(format_name) if format_name else None
    chosen = asked or named
    if chosen is None:
        raise InputError(
            _UNKNOWN,
            f"the name {out!r} does not say in which format to write",
            where=out,
            remedy=f"end it in {', '.join(_SUFFIXES)} (texts also .gz, .zst), or say --format",
        )
    if asked and named and asked is not named:
        what = f"the name is that of {named.value}, asked for is {asked.value}"
        raise InputError(_CONTRADICTION, what, where=out, remedy="rename the target, or leave out --format")
    return Shape(chosen, _compression(out, chosen, packed, compression), _ids(chosen, ids))


def _by_name(out: str) -> tuple[Format | None, str | None]:
    """Format and compression that a name promises; "" for a name that promises none."""
    if out.startswith("iceberg://"):
        return Format.ICEBERG, None
    if out == "-":
        return None, None
    path = PurePosixPath(out.rstrip("/"))
    last = path.suffix.lower()
    packed = _PACKED.get(last)
    inner = PurePosixPath(path.stem).suffix.lower() if packed else last
    if last in _OTHERS or (packed and inner in _OTHERS):
        what = f"{path.name} promises its readers another format than those that are written here"
        raise InputError(_CONTRADICTION, what, where=out, remedy=f"end the name in {', '.join(_SUFFIXES)}")
    found = _SUFFIXES.get(inner)
    if packed and found not in (*TEXTS, None):
        what = f"{path.name}: {inner} files are compressed inside, not as a whole"
        raise InputError(_CONTRADICTION, what, where=out, remedy=f"end the name in {inner}; see --compression")
    return found, packed or ("" if found in TEXTS else None)


def _compression(out: str, chosen: Format, packed: str | None, asked: str | None) -> str:
    known = COMPRESSIONS[chosen]
    if asked is not None and asked not in known:
        remedy = f"choose among {', '.join(known)}" if known else "leave it out: its library decides"
        what = f"{chosen.value} is not written with compression {asked!r}"
        raise InputError("5B.EXPORT.COMPRESSION_UNKNOWN", what, where=out, remedy=remedy)
    if packed is None:
        return asked or (known[0] if known else "none")
    promised = packed or "none"
    if chosen not in TEXTS or (asked is not None and asked != promised):
        what = f"by its name the target is compressed with {promised}, asked for is {asked or 'none'}"
        remedy = "end the name in .gz for gzip, .zst for zstd, and in neither for none"
        raise InputError(_CONTRADICTION, what, where=out, remedy=remedy)
    return promised


def _ids(chosen: Format, asked: str | None) -> IdForm:
    known = IDS[chosen]
    if asked is None:
        return known[0]
    if asked not in [each.value for each in known]:
        what = f"{chosen.value} cannot hold ids as {asked!r}"
        remedy = f"choose among {', '.join(each.value for each in known)}"
        raise InputError("5B.EXPORT.IDS_UNKNOWN", what, remedy=remedy)
    return IdForm(asked)
