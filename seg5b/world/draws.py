"""Random choices of the world: uniforms hashed from a key, a label and integer coordinates.

There is no generator state, so the value at one coordinate does not depend on what else was asked, nor in which order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_U64 = np.uint64
# Finaliser of SplitMix64 (Steele, Lea, Flood 2014).
_GOLDEN = _U64(0x9E3779B97F4A7C15)
_MIX_1 = _U64(0xBF58476D1CE4E5B9)
_MIX_2 = _U64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class GeneratorDraws:
    """Hashed uniforms of one world; ``key`` is any text that names it."""

    key: str

    def bits(self, label: str, *coordinates: ArrayLike) -> NDArray[np.uint64]:
        """64 hashed bits for each combination of the broadcast integer ``coordinates``."""
        digest = hashlib.sha256(f"{self.key}|{label}".encode()).digest()
        state = np.asarray(int.from_bytes(digest[:8], "big"), np.uint64)
        with np.errstate(over="ignore"):
            for coordinate in coordinates:
                state = _mix(state ^ _mix(np.asarray(coordinate).astype(np.uint64) + _GOLDEN))
        return np.asarray(state)

    def uniform(self, label: str, *coordinates: ArrayLike) -> NDArray[np.float64]:
        """Uniforms in (0, 1), multiples of 2^-54, never 0 or 1."""
        top = (self.bits(label, *coordinates) >> _U64(11)).astype(np.float64)
        return np.asarray((top + 0.5) * 2.0**-53)


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = (value ^ (value >> _U64(30))) * _MIX_1
    value = (value ^ (value >> _U64(27))) * _MIX_2
    return np.asarray(value ^ (value >> _U64(31)))


def hash_unit(message: str) -> float:
    """Uniform in (0, 1) from a message: (first 8 bytes of SHA-256, big-endian, + 0.5) / 2^64."""
    return (int.from_bytes(hashlib.sha256(message.encode()).digest()[:8], "big") + 0.5) / 2.0**64
