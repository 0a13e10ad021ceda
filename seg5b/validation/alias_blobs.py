"""Decoding alias blobs of 2B and 3B strictly, apart from the decoder that S4 uses (docs/laws#alias-slice)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.policy import AliasLayoutPolicy

_HEADER_BYTES = 16
_ENTRY_BYTES = 8


class BlobError(Exception):
    """A slice that does not hold."""


@dataclass(frozen=True, slots=True)
class BlobSlice:
    """Where a merchant's slice lies (absolute offset, length without padding, bytes), how many entries it should
    have, and the SHA-256 of its header and entries."""

    merchant_id: int
    offset: int
    length: int
    entries: int
    checksum: str


def decoded_masses(blob: bytes, piece: BlobSlice, layout: AliasLayoutPolicy) -> NDArray[np.float64]:
    """Probability of each entry, float64 [n], as the alias table gives it.

    Raises `BlobError`: outside the blob, misaligned, wrong length, header, alias index or checksum.
    """
    if piece.offset < 0 or piece.length < _HEADER_BYTES or piece.offset + piece.length > len(blob):
        raise BlobError(f"bytes {piece.offset}+{piece.length} lie outside a blob of {len(blob)}")
    if piece.entries < 1 or piece.length != _HEADER_BYTES + _ENTRY_BYTES * piece.entries:
        raise BlobError(f"{piece.length} bytes do not hold {piece.entries} entries")
    if piece.offset % layout.alignment_bytes:
        raise BlobError(f"offset {piece.offset} is no multiple of {layout.alignment_bytes}")
    raw = blob[piece.offset : piece.offset + piece.length]
    if hashlib.sha256(raw).hexdigest() != piece.checksum.lower():
        raise BlobError("checksum differs")
    words = np.frombuffer(raw, "<u4" if layout.endianness == "little" else ">u4", piece.length // 4)
    count, bits = int(words[0]), int(words[1])
    if count != piece.entries:
        raise BlobError(f"holds {count} entries in {piece.length} bytes, expected {piece.entries}")
    if bits != layout.prob_qbits or words[2] or words[3]:
        raise BlobError(f"header is {words[:4].tolist()}")
    keep, alias = words[4::2] / 2.0**bits, words[5::2].astype(np.int64)
    if (alias >= count).any():
        raise BlobError(f"alias index {alias.max()} of {count} entries")
    return np.asarray((keep + np.bincount(alias, 1.0 - keep, count)) / count)
