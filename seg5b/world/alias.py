"""Alias slices of the routing blobs: encoding, decoding (docs/laws#alias-slice-encoding)."""

from __future__ import annotations

import hashlib
import heapq
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.errors import WorldError

GRID_BITS = 24
PROBABILITY_BITS = 32
ALIGNMENT_BYTES = 8
LAYOUT_VERSION = "2B.alias.blob.v1"
MASS_TOLERANCE = 1.2e-7
_ONE = 1.0 - 1e-12
_FULL = 1.0 - 1e-15
_HEADER = struct.Struct("<4I")
_SLICES_AT_ONCE = 1 << 14
_MOST_IN_STEP = 48
"""Entries of a slice up to which slices of equal length are encoded together."""


@dataclass(frozen=True, slots=True)
class EncodedSlice:
    """Where one merchant's slice lies in its blob: absolute ``offset``, ``length`` without padding (bytes),
    ``entries`` and the SHA-256 of header and entries."""

    offset: int
    length: int
    entries: int
    checksum: str


def encode_blob(weights: Sequence[NDArray[np.float64]]) -> tuple[bytes, list[EncodedSlice]]:
    """Slices back to back, each padded with zero bytes to the alignment."""
    parts: list[bytes] = [b""] * len(weights)
    sizes = np.array([each.size for each in weights], np.int64)
    for size in np.unique(sizes).tolist():
        alike = np.flatnonzero(sizes == size)
        for start in range(0, alike.size, _SLICES_AT_ONCE):
            some = alike[start : start + _SLICES_AT_ONCE].tolist()
            for place, payload in zip(some, _encode(np.stack([weights[place] for place in some])), strict=True):
                parts[place] = payload
    slices: list[EncodedSlice] = []
    offset = 0
    for place, payload in enumerate(parts):
        slices.append(EncodedSlice(offset, len(payload), weights[place].size, hashlib.sha256(payload).hexdigest()))
        parts[place] = payload + bytes(-len(payload) % ALIGNMENT_BYTES)
        offset += len(parts[place])
    return b"".join(parts), slices


def encode_slice(weights: NDArray[np.float64]) -> bytes:
    """Header (n, 32, 0, 0) and n pairs (probability, alias), unsigned 32-bit little-endian.

    ``weights`` float64 [n], n >= 1, non-negative, summing to 1. Raises `WorldError` ``5B.WORLD.ALIAS_MASS`` when the
    encoded slice does not give them back within 1.2e-7.
    """
    return next(_encode(weights[None, :]))


def _encode(weights: NDArray[np.float64]) -> Iterator[bytes]:
    """Slices of equal length, from float64 [slices, n]."""
    count = weights.shape[1]
    scaled = _grid_masses(weights) * (count / 2.0**GRID_BITS)
    probability, alias = _vose(scaled) if count <= _MOST_IN_STEP else _vose_by_heaps(scaled)
    table = np.empty((len(weights), 4 + 2 * count), "<u4")
    table[:, :4] = count, PROBABILITY_BITS, 0, 0
    table[:, 4::2] = np.clip(np.floor(probability * 2.0**PROBABILITY_BITS), 1, 2**PROBABILITY_BITS - 1)
    table[:, 5::2] = alias
    worst = float(np.abs(_masses(table[:, 4::2], table[:, 5::2]) - weights).max())
    if not worst <= MASS_TOLERANCE:
        raise WorldError("5B.WORLD.ALIAS_MASS", f"alias slice misses a weight by {worst}", where=f"{count} entries")
    return (row.tobytes() for row in table)


def decode_masses(payload: bytes) -> NDArray[np.float64]:
    """Probability of each entry of a slice, float64 [n]."""
    count, _, _, _ = _HEADER.unpack_from(payload)
    table = np.frombuffer(payload, "<u4", 2 * count, _HEADER.size).reshape(1, count, 2)
    return np.asarray(_masses(table[:, :, 0], table[:, :, 1])[0])


def _masses(kept: NDArray[np.uint32], alias: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Probability of each entry of slices of equal length, float64 [slices, n]."""
    slices, count = kept.shape
    keep = kept / 2.0**PROBABILITY_BITS
    at = alias + count * np.arange(slices)[:, None]
    given = np.bincount(at.ravel(), (1.0 - keep).ravel(), slices * count).reshape(keep.shape)
    return np.asarray((keep + given) / count)


def _grid_masses(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of each slice rounded to multiples of 2^-24 that sum to 1: half to even, then repaired by residual."""
    grid = 2**GRID_BITS
    exact = weights * grid
    mass = np.rint(exact)
    residual = exact - mass
    missing = (grid - mass.sum(axis=1, keepdims=True)).astype(np.int64)
    # One is taken off entries that have one only.
    repairable = (missing > 0) | (mass > 0)
    order = np.argsort(np.where(repairable, np.where(missing > 0, -residual, residual), np.inf), axis=1, kind="stable")
    repaired = np.zeros(weights.shape, bool)
    np.put_along_axis(repaired, order, np.arange(weights.shape[1]) < np.abs(missing), axis=1)
    mass += np.sign(missing) * (repaired & repairable)
    whole = np.arange(weights.shape[1]) == np.argmax(weights, axis=1, keepdims=True)
    return np.where(weights.max(axis=1, keepdims=True) >= _ONE, np.where(whole, float(grid), 0.0), mass)


def _vose(scaled: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Alias tables of slices of equal length, all of them a step at a time; the smallest index of either work list goes
    first. ``scaled``: masses times n."""
    scaled = scaled.copy()
    probability = np.ones(scaled.shape)
    alias = np.broadcast_to(np.arange(scaled.shape[1]), scaled.shape).copy()
    small = scaled < _FULL
    large = ~small
    while (at := np.flatnonzero(small.any(axis=1) & large.any(axis=1))).size:
        low, high = np.argmax(small[at], axis=1), np.argmax(large[at], axis=1)
        probability[at, low], alias[at, low] = scaled[at, low], high
        small[at, low] = False
        scaled[at, high] -= 1.0 - scaled[at, low]
        small[at, high] = scaled[at, high] < _FULL
        large[at, high] = ~small[at, high]
    return probability, alias


def _vose_by_heaps(scaled: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """As `_vose`, slice by slice: its steps look at all entries, too many in long slices."""
    probability = np.ones(scaled.shape)
    alias = np.broadcast_to(np.arange(scaled.shape[1]), scaled.shape).copy()
    for row, entries in enumerate(scaled.tolist()):
        small = [index for index, value in enumerate(entries) if value < _FULL]
        large = [index for index, value in enumerate(entries) if value >= _FULL]
        while small and large:
            low, high = heapq.heappop(small), heapq.heappop(large)
            probability[row, low], alias[row, low] = entries[low], high
            entries[high] -= 1.0 - entries[low]
            heapq.heappush(small if entries[high] < _FULL else large, high)
    return probability, alias
