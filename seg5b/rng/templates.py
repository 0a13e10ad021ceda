"""Padded derivation messages with zeros where the decimal bucket index goes: one template per series and number of digits,
from which kernels derive the stream of any bucket of the series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from seg5b_kernels.derivation import PaddedMessages

_BLOCK = 64


def digits_for(bucket_count: int) -> int:
    """Decimal digits of the largest bucket index (at least 1). Raises `ValueError` above 5, which kernels do not handle."""
    digits = len(str(max(bucket_count - 1, 0)))
    if digits > 5:
        raise ValueError(f"{bucket_count} buckets need {digits} digits; kernels handle 5")
    return digits


def padded_messages(
    head: bytes, prefixes: Sequence[str], digits_max: int
) -> tuple[PaddedMessages, np.ndarray, np.ndarray]:
    """Padded SHA-256 messages of every (series, digit count), digits left zero.

    Parameters: ``head`` the message before the domain key; ``prefixes`` [S] the domain key up to the bucket index;
    ``digits_max`` D. Rows are series-major: row = series * D + digits - 1.

    Returns (messages [S * D], ``digit_at`` int32 [S * D], ``tail_blocks`` int32 [S * D]) as
    `seg5b_kernels.derivation.DomainTemplates` explains them.
    """
    texts, digit_at, head_blocks, tail_blocks = [], [], [], []
    for prefix in prefixes:
        raw = prefix.encode()
        for digits in range(1, digits_max + 1):
            before = head + (len(raw) + digits).to_bytes(4, "big") + raw
            length = len(before) + digits
            padding = -(length + 9) % _BLOCK
            texts.append(before + bytes(digits) + b"\x80" + bytes(padding) + (8 * length).to_bytes(8, "big"))
            head_blocks.append(len(before) // _BLOCK)
            digit_at.append(len(before) % _BLOCK)
            tail_blocks.append(len(texts[-1]) // _BLOCK - head_blocks[-1])
    width = max(map(len, texts), default=_BLOCK)
    joined = b"".join(text.ljust(width, b"\0") for text in texts)
    words = np.frombuffer(joined, dtype=">u4").astype(np.uint32).reshape(len(texts), width // 4)
    messages = PaddedMessages(words, np.asarray(head_blocks, np.int32))
    return messages, np.asarray(digit_at, np.int32), np.asarray(tail_blocks, np.int32)
