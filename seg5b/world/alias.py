"""Alias slices of the routing blobs: encoding, decoding (docs/laws#alias-slice-encoding)."""

from __future__ import annotations

import hashlib
import heapq
import struct
from collections.abc import Sequence
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
    parts: list[bytes] = []
    slices: list[EncodedSlice] = []
    offset = 0
    for each in weights:
        payload = encode_slice(each)
        slices.append(EncodedSlice(offset, len(payload), each.size, hashlib.sha256(payload).hexdigest()))
        padded = payload + bytes(-len(payload) % ALIGNMENT_BYTES)
        parts.append(padded)
        offset += len(padded)
    return b"".join(parts), slices


def encode_slice(weights: NDArray[np.float64]) -> bytes:
    """Header (n, 32, 0, 0) and n pairs (probability, alias), unsigned 32-bit little-endian.

    ``weights`` float64 [n], n >= 1, non-negative, summing to 1. Raises `WorldError` ``5B.WORLD.ALIAS_MASS`` when the
    encoded slice does not give them back within 1.2e-7.
    """
    probability, alias = _vose(_grid_masses(weights))
    scaled = np.floor(probability * 2.0**PROBABILITY_BITS)
    table = np.empty((weights.size, 2), "<u4")
    table[:, 0] = np.clip(scaled, 1, 2**PROBABILITY_BITS - 1)
    table[:, 1] = alias
    payload = _HEADER.pack(weights.size, PROBABILITY_BITS, 0, 0) + table.tobytes()
    worst = float(np.abs(decode_masses(payload) - weights).max())
    if not worst <= MASS_TOLERANCE:
        raise WorldError(
            "5B.WORLD.ALIAS_MASS", f"alias slice misses a weight by {worst}", where=f"{weights.size} entries"
        )
    return payload


def decode_masses(payload: bytes) -> NDArray[np.float64]:
    """Probability of each entry of a slice, float64 [n]."""
    count, bits, _, _ = _HEADER.unpack_from(payload)
    table = np.frombuffer(payload, "<u4", 2 * count, _HEADER.size).reshape(count, 2)
    keep = table[:, 0] / 2.0**bits
    return np.asarray((keep + np.bincount(table[:, 1], 1.0 - keep, count)) / count)


def _grid_masses(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights rounded to multiples of 2^-24 that sum to 1: half to even, then repaired by residual."""
    grid = 2**GRID_BITS
    if weights.max() >= _ONE:
        return np.asarray(np.where(np.arange(weights.size) == np.argmax(weights), float(grid), 0.0))
    exact = weights * grid
    mass = np.rint(exact)
    residual = exact - mass
    missing = grid - int(mass.sum())
    order = np.argsort(-residual if missing > 0 else residual, kind="stable")
    if missing < 0:
        order = order[mass[order] > 0]
    mass[order[: abs(missing)]] += np.sign(missing)
    return np.asarray(mass)


def _vose(mass: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Alias table; the smallest index of either work list goes first."""
    count = mass.size
    scaled = (mass * (count / 2.0**GRID_BITS)).tolist()
    probability = np.ones(count)
    alias = np.arange(count)
    small = [index for index, value in enumerate(scaled) if value < _FULL]
    large = [index for index, value in enumerate(scaled) if value >= _FULL]
    while small and large:
        low, high = heapq.heappop(small), heapq.heappop(large)
        probability[low], alias[low] = scaled[low], high
        scaled[high] -= 1.0 - scaled[low]
        heapq.heappush(small if scaled[high] < _FULL else large, high)
    return probability, alias
