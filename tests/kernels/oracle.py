"""The laws of random numbers and routing once more, in plain Python, sharing no code with the kernels.

Slow and short: one arrival at a time, integers of any size, `hashlib`, lists.
"""

from __future__ import annotations

import hashlib
from typing import Any

MASK = (1 << 64) - 1


def philox(counter: int, key: int) -> tuple[int, int]:
    """Philox2x64-10 of a 128-bit counter."""
    lo, hi = counter & MASK, counter >> 64
    for _ in range(10):
        wide = 0xD2B74407B1CE6E93 * lo
        lo, hi = (wide >> 64) ^ key ^ hi, wide & MASK
        key = (key + 0x9E3779B97F4A7C15) & MASK
    return lo, hi


def counter_of(words: tuple[int, int], key: int) -> int:
    """The counter whose block is ``words``: Philox backwards, so that tests can ask for rare draws."""
    lo, hi = words
    keys = [(key + turn * 0x9E3779B97F4A7C15) & MASK for turn in range(10)]
    for each in reversed(keys):
        before = hi * pow(0xD2B74407B1CE6E93, -1, 1 << 64) & MASK
        lo, hi = before, lo ^ each ^ (0xD2B74407B1CE6E93 * before >> 64)
    return hi << 64 | lo


def uniform(word: int) -> float:
    return min((float(word) + 0.5) / 2.0**64, 1.0 - 2.0**-53)


def message(domain_sep: str, family: str, manifest: str, parameters: str, seed: int, scenario: str, key: str) -> bytes:
    def field(text: str) -> bytes:
        return len(text.encode()).to_bytes(4, "big") + text.encode()

    before = b"".join(field(text) for text in (domain_sep, family, manifest, parameters))
    return before + seed.to_bytes(8, "little") + field(scenario) + field(key)


def stream(raw: bytes) -> tuple[int, int]:
    """(key, 128-bit base counter) of a derivation message."""
    digest = hashlib.sha256(raw).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:24], "big")


def words(of: tuple[int, int], block: int) -> tuple[int, int]:
    key, counter = of
    return philox((counter + block) % 2**128, key)


def vose(weights: list[float]) -> tuple[list[float], list[int]]:
    """Probabilities and aliases by Vose's two stacks."""
    total = 0.0
    for weight in weights:
        total += weight
    scaled = [len(weights) * (weight / total) for weight in weights]
    small = [k for k, value in enumerate(scaled) if value < 1.0]
    large = [k for k, value in enumerate(scaled) if value >= 1.0]
    probability, alias = [1.0] * len(weights), list(range(len(weights)))
    while small and large:
        short, donor = small.pop(), large.pop()
        probability[short], alias[short] = scaled[short], donor
        scaled[donor] = (scaled[donor] + scaled[short]) - 1.0
        (small if scaled[donor] < 1.0 else large).append(donor)
    return probability, alias


def pick(weights: list[float], u: float) -> int:
    """Entry that ``u`` picks by the alias method."""
    probability, alias = vose(weights)
    slot = min(int(u * len(weights)), len(weights) - 1)
    return slot if u * len(weights) - slot < probability[slot] else alias[slot]


def poisson_count(mean: float, u: float, cumulative: Any) -> int:
    """Smallest n with F(n) >= u, ``cumulative(n, mean)`` being F."""
    n = 0
    while cumulative(n, mean) < u:
        n += 1
    return n
