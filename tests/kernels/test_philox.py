"""Philox2x64-10, 128-bit counters and uniforms: known answers, an independent library, and the interval's ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from randomgen import Philox
from seg5b_kernels.philox import counter_add, counter_wraps, philox2x64
from seg5b_kernels.uniform import LARGEST_BELOW_ONE, unit_open

from tests.oracle import randomness as oracle

MAX = 2**64 - 1
WORD = st.one_of(st.integers(0, MAX), st.integers(MAX - 40, MAX), st.integers(0, 40))
Answers = Callable[[str], list[list[str]]]


def block(counter: int, key: int) -> tuple[int, int]:
    word0, word1 = philox2x64(np.uint64(counter & MAX), np.uint64(counter >> 64), np.uint64(key))
    return int(word0), int(word1)


def test_known_blocks(known_answers: Answers) -> None:
    for fields in known_answers("philox"):
        lo, hi, key, word0, word1 = (int(field, 16) for field in fields)
        assert block(hi << 64 | lo, key) == (word0, word1), fields


def test_known_sums(known_answers: Answers) -> None:
    for fields in known_answers("add"):
        lo, hi, blocks, *expected = (np.uint64(int(field, 16)) for field in fields)
        assert list(counter_add(lo, hi, blocks)) == expected, fields


@settings(deadline=None)
@given(hi=WORD, lo=WORD, key=WORD)
def test_equals_randomgen(hi: int, lo: int, key: int) -> None:
    # randomgen steps its counter before each block.
    counter = hi << 64 | lo
    reference = Philox(counter=(counter - 1) % 2**128, key=key, number=2, width=64)
    assert block(counter, key) == tuple(reference.random_raw(2).tolist())


def test_a_stream_equals_randomgen_across_the_carry() -> None:
    start, key = (6 << 64) - 100, 0xC0FFEE
    reference = Philox(counter=start - 1, key=key, number=2, width=64).random_raw(400).tolist()
    lo, hi = np.uint64(start & MAX), np.uint64(start >> 64)
    ours = [word for step in range(200) for word in philox2x64(*counter_add(lo, hi, np.uint64(step)), np.uint64(key))]
    assert ours == reference


@settings(deadline=None)
@given(word0=WORD, word1=WORD, key=WORD)
def test_blocks_can_be_run_backwards(word0: int, word1: int, key: int) -> None:
    """A bijection for each key; other tests use the inverse to ask for rare draws."""
    assert block(oracle.counter_of((word0, word1), key), key) == (word0, word1)


@settings(deadline=None)
@given(hi=WORD, lo=WORD, blocks=WORD)
def test_counters_are_128_bits_wide(hi: int, lo: int, blocks: int) -> None:
    total = (hi << 64 | lo) + blocks
    ours = counter_add(np.uint64(lo), np.uint64(hi), np.uint64(blocks))
    assert ours == (total & MAX, total % 2**128 >> 64)


@settings(deadline=None)
@given(hi=st.one_of(st.just(MAX), WORD), lo=WORD, blocks=WORD)
@example(hi=MAX, lo=MAX, blocks=1)
@example(hi=MAX, lo=MAX - 4, blocks=4)
@example(hi=MAX, lo=MAX - 4, blocks=5)
@example(hi=MAX, lo=0, blocks=0)
def test_a_wrap_is_seen(hi: int, lo: int, blocks: int) -> None:
    wraps = counter_wraps(np.uint64(lo), np.uint64(hi), np.uint64(blocks))
    assert wraps == ((hi << 64 | lo) + blocks >= 2**128)


def test_known_uniforms(known_answers: Answers) -> None:
    for word, u in known_answers("uniform"):
        assert unit_open(np.uint64(int(word, 16))) == float.fromhex(u), word


@pytest.mark.parametrize(("word", "u"), [(0, 2.0**-65), (MAX, LARGEST_BELOW_ONE), (MAX - 1023, LARGEST_BELOW_ONE)])
def test_ends_of_the_interval(word: int, u: float) -> None:
    """Defect D5 of the reference engine: the topmost 1024 words gave exactly 1."""
    assert unit_open(np.uint64(word)) == u
    assert 0.0 < u < 1.0


@settings(deadline=None)
@given(WORD, WORD)
def test_uniforms_are_inside_and_grow(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert 0.0 < unit_open(np.uint64(low)) <= unit_open(np.uint64(high)) < 1.0
