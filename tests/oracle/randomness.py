"""Law L4 in Python integers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

MASK = (1 << 64) - 1


def philox(counter: int, key: int) -> tuple[int, int]:
    """Philox2x64-10: two words from a 128-bit counter."""
    low, high = counter & MASK, counter >> 64 & MASK
    for _ in range(10):
        wide = 0xD2B74407B1CE6E93 * low
        low, high = (wide >> 64) ^ key ^ high, wide & MASK
        key = key + 0x9E3779B97F4A7C15 & MASK
    return low, high


def uniform(word: int) -> float:
    """u = min((float64(word) + 0.5) 2^-64, 1 - 2^-53)."""
    return min((float(word) + 0.5) * 2.0**-64, 1.0 - 2.0**-53)


def _prefixed(text: str) -> bytes:
    raw = text.encode("utf-8")
    return len(raw).to_bytes(4, "big") + raw


@dataclass(frozen=True)
class World:
    """What enters every message."""

    manifest_fingerprint: str
    parameter_hash: str
    seed: int
    scenario_id: str

    def stream(self, family: str, domain: str) -> tuple[int, int]:
        """(key, 128-bit base counter)."""
        message = b"".join(map(_prefixed, ("5B.rng.v1", family, self.manifest_fingerprint, self.parameter_hash)))
        message += self.seed.to_bytes(8, "little") + _prefixed(self.scenario_id) + _prefixed(domain)
        digest = hashlib.sha256(message).digest()
        return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:24], "big")

    def words(self, family: str, domain: str, block: int) -> tuple[int, int]:
        """Words of block ``block`` of a domain."""
        key, counter = self.stream(family, domain)
        return philox((counter + block) % (1 << 128), key)
