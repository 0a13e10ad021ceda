"""Law L4 in plain integers: message, digest, key, counter, words, uniforms."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

_WORD = (1 << 64) - 1
MULTIPLIER = 0xD2B74407B1CE6E93
WEYL = 0x9E3779B97F4A7C15
_LARGEST = 1.0 - 2.0**-53


@dataclass(frozen=True, slots=True)
class Origin:
    """What every message of a scenario starts from: domain separator, the two hashes (64 hex digits), seed, scenario."""

    domain_sep: str
    manifest_fingerprint: str
    parameter_hash: str
    seed: int
    scenario_id: str

    def stream(self, family_id: str, domain_key: str) -> Stream:
        """Stream of one domain."""
        message = self.head(family_id) + prefixed(domain_key)
        return Stream(family_id, domain_key, hashlib.sha256(message).digest())

    def head(self, family_id: str) -> bytes:
        """What all messages of a family begin with."""
        texts = (self.domain_sep, family_id, self.manifest_fingerprint, self.parameter_hash)
        return b"".join(map(prefixed, texts)) + self.seed.to_bytes(8, "little") + prefixed(self.scenario_id)


@dataclass(frozen=True, slots=True)
class Stream:
    """Random stream of one domain, named by the SHA-256 of its message."""

    family_id: str
    domain_key: str
    digest: bytes

    @property
    def key(self) -> int:
        """Philox key, uint64."""
        return int.from_bytes(self.digest[:8], "big")

    @property
    def base(self) -> int:
        """Counter of block 0, 128 bits."""
        return int.from_bytes(self.digest[8:24], "big")

    def draw(self, block: int) -> Draw:
        """Both words of a block."""
        counter = (self.base + block) % (1 << 128)
        return Draw(self, block, counter, *philox2x64(counter, self.key))


@dataclass(frozen=True, slots=True)
class Draw:
    """One block of a stream: its counter and the two words that came out."""

    stream: Stream
    block: int
    counter: int
    word0: int
    word1: int

    @property
    def u0(self) -> float:
        """Uniform of word 0."""
        return uniform(self.word0)

    @property
    def u1(self) -> float:
        """Uniform of word 1."""
        return uniform(self.word1)

    def as_json(self) -> dict[str, Any]:
        """The chain from domain key to uniforms; integers as hexadecimal text."""
        return {
            "family_id": self.stream.family_id,
            "domain_key": self.stream.domain_key,
            "sha256": self.stream.digest.hex(),
            "key": f"{self.stream.key:016x}",
            "base_counter": f"{self.stream.base:032x}",
            "block": self.block,
            "counter": f"{self.counter:032x}",
            "words": [f"{self.word0:016x}", f"{self.word1:016x}"],
            "uniforms": [self.u0, self.u1],
        }


def prefixed(text: str) -> bytes:
    """UTF-8 behind its length as four bytes, most significant first."""
    raw = text.encode("utf-8")
    return len(raw).to_bytes(4, "big") + raw


def philox2x64(counter: int, key: int) -> tuple[int, int]:
    """Ten rounds of Philox2x64 (Salmon et al., SC11) on a 128-bit counter and a 64-bit key."""
    left, right = counter & _WORD, counter >> 64
    for _ in range(10):
        wide = MULTIPLIER * left
        left, right = (wide >> 64) ^ key ^ right, wide & _WORD
        key = (key + WEYL) & _WORD
    return left, right


def uniform(word: int) -> float:
    """A number in (0, 1): min((float64(word) + 1/2) 2^-64, 1 - 2^-53)."""
    return min((float(word) + 0.5) * 2.0**-64, _LARGEST)
