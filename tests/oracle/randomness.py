"""Law L4 in Python integers: messages, streams, Philox forwards and backwards, uniforms."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

MASK = (1 << 64) - 1
MULTIPLIER, WEYL, ROUNDS = 0xD2B74407B1CE6E93, 0x9E3779B97F4A7C15, 10


def philox(counter: int, key: int) -> tuple[int, int]:
    """Philox2x64-10: two words from a 128-bit counter."""
    low, high = counter & MASK, counter >> 64 & MASK
    for _ in range(ROUNDS):
        wide = MULTIPLIER * low
        low, high = (wide >> 64) ^ key ^ high, wide & MASK
        key = key + WEYL & MASK
    return low, high


def counter_of(words: tuple[int, int], key: int) -> int:
    """The counter whose block is ``words``: Philox backwards, so that tests can ask for rare draws."""
    low, high = words
    for turn in reversed(range(ROUNDS)):
        before = high * pow(MULTIPLIER, -1, 1 << 64) & MASK
        low, high = before, low ^ (key + turn * WEYL & MASK) ^ (MULTIPLIER * before >> 64)
    return high << 64 | low


def uniform(word: int) -> float:
    """u = min((float64(word) + 0.5) 2^-64, 1 - 2^-53)."""
    return min((float(word) + 0.5) * 2.0**-64, 1.0 - 2.0**-53)


def message(domain_sep: str, family: str, manifest: str, parameters: str, seed: int, scenario: str, key: str) -> bytes:
    """What is hashed for the stream of a domain key."""
    before = b"".join(map(_prefixed, (domain_sep, family, manifest, parameters)))
    return before + seed.to_bytes(8, "little") + _prefixed(scenario) + _prefixed(key)


def _prefixed(text: str) -> bytes:
    raw = text.encode("utf-8")
    return len(raw).to_bytes(4, "big") + raw


def stream(raw: bytes) -> tuple[int, int]:
    """(key, 128-bit base counter) of a message."""
    digest = hashlib.sha256(raw).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:24], "big")


def words(of: tuple[int, int], block: int) -> tuple[int, int]:
    """Words of block ``block`` of a stream."""
    key, counter = of
    return philox((counter + block) % (1 << 128), key)


@dataclass(frozen=True)
class World:
    """What enters every message."""

    manifest_fingerprint: str
    parameter_hash: str
    seed: int
    scenario_id: str

    def stream(self, family: str, domain: str) -> tuple[int, int]:
        """(key, 128-bit base counter)."""
        identity = (self.manifest_fingerprint, self.parameter_hash, self.seed, self.scenario_id)
        return stream(message("5B.rng.v1", family, *identity, domain))

    def words(self, family: str, domain: str, block: int) -> tuple[int, int]:
        """Words of block ``block`` of a domain."""
        return words(self.stream(family, domain), block)
