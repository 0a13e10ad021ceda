"""Key and base counter of a bucket's random streams, from SHA-256 on the device.

The message of a (merchant, zone, bucket) domain ends with the bucket index in decimal, and everything before it is
the same for all buckets of a series. `absorb_template` hashes that common part once per (series, digit count);
`derive` then needs one compression for most buckets, two where the digits or the padding reach a second block.
Message law: docs/laws#stream-message; layout of a template: `DomainTemplates`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.philox import counter_add, philox2x64
from seg5b_kernels.sha256 import INITIAL_STATE, compress
from seg5b_kernels.targets import cpu_loop, scalar

WORDS_PER_BLOCK = 16
TAIL_WORDS = 2 * WORDS_PER_BLOCK


class DomainTemplates(NamedTuple):
    """Messages of T (series, digit count) pairs, hashed up to the block that holds the first digit.

    ``state`` uint32 [T, 8]: SHA-256 state before that block. ``tail`` uint32 [T, 32]: the one or two blocks left,
    big-endian words, padding included, digits zero. ``digit_at`` int32 [T]: byte of the first digit in the tail
    (0..63). ``tail_blocks`` int32 [T]: 1 or 2.
    """

    state: Any
    tail: Any
    digit_at: Any
    tail_blocks: Any


class PaddedMessages(NamedTuple):
    """``words`` uint32 [T, W]: padded messages, digits zero, big-endian words, zero-filled to a common W.
    ``head_blocks`` int32 [T]: whole blocks before the one that holds the first digit."""

    words: Any
    head_blocks: Any


@scalar
def block_words(words, row, start):
    """Sixteen words of one block as a tuple: ``words[row, start : start + 16]``."""
    return (
        words[row, start], words[row, start + 1], words[row, start + 2], words[row, start + 3],
        words[row, start + 4], words[row, start + 5], words[row, start + 6], words[row, start + 7],
        words[row, start + 8], words[row, start + 9], words[row, start + 10], words[row, start + 11],
        words[row, start + 12], words[row, start + 13], words[row, start + 14], words[row, start + 15],
    )  # fmt: skip


@scalar
def initial_state():
    """The state before the first block."""
    s = INITIAL_STATE
    return s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]


@scalar
def absorb_template(i, messages, templates):
    """Element: hash the leading blocks of message ``i`` into ``templates.state[i]`` and copy the rest to the tail."""
    state = initial_state()
    head = messages.head_blocks[i]
    for block in range(head):
        state = compress(state, block_words(messages.words, i, block * WORDS_PER_BLOCK))
    for word in range(8):
        templates.state[i, word] = state[word]
    start = head * WORDS_PER_BLOCK
    for word in range(TAIL_WORDS):
        inside = start + word < messages.words.shape[1]
        templates.tail[i, word] = messages.words[i, start + word] if inside else np.uint32(0)


@cpu_loop
def absorb_templates_cpu(start, stop, messages, templates):
    """CPU loop of `absorb_template`."""
    for i in range(start, stop):
        absorb_template(i, messages, templates)


@scalar
def digit_count(number):
    """Decimal digits of an integer in [0, 99999]."""
    return 1 + (number > 9) + (number > 99) + (number > 999) + (number > 9999)


@scalar
def _ascii_digits(number, digits):
    """The decimal text as a big-endian integer: its last character is the lowest byte. At most 5 digits."""
    text = np.uint64(0)
    rest = np.uint64(number)
    for position in range(digits):
        text |= (np.uint64(48) + rest % np.uint64(10)) << np.uint64(8 * position)
        rest //= np.uint64(10)
    return text


@scalar
def _with_digits(word, text, digit_end, index):
    """Tail word number ``index`` with its share of the digits, whose text ends before byte ``digit_end``."""
    beyond = digit_end - 4 * (index + 1)
    if beyond >= 8 or beyond <= -4:
        return np.uint32(word)
    if beyond >= 0:
        return np.uint32(word | np.uint32(text >> np.uint64(8 * beyond)))
    return np.uint32(word | np.uint32(text << np.uint64(-8 * beyond)))


@scalar
def _block_with_digits(tail, row, block, text, digit_end):
    """Sixteen words of tail block 0 or 1 with the digits put in."""
    first = block * WORDS_PER_BLOCK
    w = block_words(tail, row, first)
    return (
        _with_digits(w[0], text, digit_end, first), _with_digits(w[1], text, digit_end, first + 1),
        _with_digits(w[2], text, digit_end, first + 2), _with_digits(w[3], text, digit_end, first + 3),
        _with_digits(w[4], text, digit_end, first + 4), _with_digits(w[5], text, digit_end, first + 5),
        _with_digits(w[6], text, digit_end, first + 6), _with_digits(w[7], text, digit_end, first + 7),
        _with_digits(w[8], text, digit_end, first + 8), _with_digits(w[9], text, digit_end, first + 9),
        _with_digits(w[10], text, digit_end, first + 10), _with_digits(w[11], text, digit_end, first + 11),
        _with_digits(w[12], text, digit_end, first + 12), _with_digits(w[13], text, digit_end, first + 13),
        _with_digits(w[14], text, digit_end, first + 14), _with_digits(w[15], text, digit_end, first + 15),
    )  # fmt: skip


@scalar
def _join(high, low):
    return (np.uint64(high) << np.uint64(32)) | np.uint64(low)


@scalar
def stream_of(templates, row, bucket, digits):
    """(key, counter high, counter low) of one bucket's stream; ``row`` of the templates for as many ``digits`` as the
    bucket index has.

    They are bytes 0-7, 8-15 and 16-23 of the digest, read big-endian (law L4).
    """
    text = _ascii_digits(bucket, digits)
    digit_end = templates.digit_at[row] + digits
    s = templates.state
    state = (s[row, 0], s[row, 1], s[row, 2], s[row, 3], s[row, 4], s[row, 5], s[row, 6], s[row, 7])
    for block in range(templates.tail_blocks[row]):
        state = compress(state, _block_with_digits(templates.tail, row, block, text, digit_end))
    return _join(state[0], state[1]), _join(state[2], state[3]), _join(state[4], state[5])


class StreamInputs(NamedTuple):
    """``templates``: `DomainTemplates`, ``digits_max`` rows for each slot. ``slot`` int32, by series; negative where none of
    its buckets has a stream. ``series`` int32 [n] and ``bucket`` int32 [n] of each of n buckets."""

    templates: DomainTemplates
    slot: Any
    series: Any
    bucket: Any
    digits_max: int


class Streams(NamedTuple):
    """Random streams of n domains: ``key``, ``counter_hi``, ``counter_lo``, uint64 [n] each."""

    key: Any
    counter_hi: Any
    counter_lo: Any


@scalar
def derive_stream(i, inputs, streams):
    """Element: key and base counter of bucket ``i``'s stream; zeros where no stream is asked for.

    Template row = slot * digits_max + digits - 1.
    """
    key, high, low = np.uint64(0), np.uint64(0), np.uint64(0)
    slot = inputs.slot[inputs.series[i]]
    if slot >= 0:
        digits = digit_count(inputs.bucket[i])
        row = slot * inputs.digits_max + digits - 1
        key, high, low = stream_of(inputs.templates, row, inputs.bucket[i], digits)
    streams.key[i] = key
    streams.counter_hi[i] = high
    streams.counter_lo[i] = low


@cpu_loop
def derive_streams_cpu(start, stop, inputs, streams):
    """CPU loop of `derive_stream`."""
    for i in range(start, stop):
        derive_stream(i, inputs, streams)


@scalar
def words_at(key, counter_hi, counter_lo, block):
    """Both words of block ``block`` of a stream: counter = base + block mod 2^128."""
    lo, hi = counter_add(counter_lo, counter_hi, block)
    return philox2x64(lo, hi, key)


@scalar
def draw_words(stream, row, block):
    """Both words of block ``block`` of row ``row``'s stream: counter = base + block mod 2^128."""
    return words_at(stream.key[row], stream.counter_hi[row], stream.counter_lo[row], block)
