"""Alias tables: construction, picks, 3B's blob slices, and frequencies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from seg5b_kernels.alias import alias_pick

from seg5b.errors import InputError
from seg5b.inputs.alias_tables import AliasTables, build_tables
from seg5b.inputs.edges import decode_slice
from seg5b.policy import AliasLayoutPolicy
from tests.oracle import alias as oracle

Answers = Callable[[str], list[list[str]]]
WEIGHT = st.one_of(st.floats(0.0, 1e6), st.sampled_from([1e-300, 1e300]))
# Small integers meet the branches of equal and of exactly average weights.
WEIGHTS = st.one_of(
    st.lists(WEIGHT, min_size=1, max_size=40), st.lists(st.integers(0, 4).map(float), min_size=1, max_size=12)
).filter(lambda weights: 0.0 < sum(weights) < np.inf)


def table(weights: list[float]) -> AliasTables:
    return build_tables(
        np.array(weights), np.array([0, len(weights)]), names=["m"], code="5B.S4.INPUTS_MISSING", where="w"
    )


def pick(tables: AliasTables, u: float, number: int = 0) -> int:
    start, stop = tables.start[number], tables.start[number + 1]
    return int(alias_pick(u, start, stop - start, tables.probability, tables.alias))


def floats(text: str) -> list[float]:
    return [float(field) for field in text.split(",")]


def test_known_tables(known_answers: Answers) -> None:
    for weights, probability, alias in known_answers("alias"):
        built = table(floats(weights))
        assert built.probability.tolist() == floats(probability), weights
        assert ",".join(map(str, built.alias)) == alias, weights


def test_known_picks(known_answers: Answers) -> None:
    for weights, u, entry in known_answers("pick"):
        assert pick(table(floats(weights)), float(u)) == int(entry), (weights, u)


@settings(deadline=None)
@given(WEIGHTS)
def test_tables_equal_the_oracle_bit_for_bit(weights: list[float]) -> None:
    built = table(weights)
    assert list(zip(built.probability.tolist(), built.alias.tolist(), strict=True)) == oracle.vose(weights)


@settings(deadline=None)
@given(WEIGHTS)
def test_tables_give_the_weights_back(weights: list[float]) -> None:
    """Each entry's mass in exact arithmetic is its weight but for the rounding of n updates."""
    built, size = table(weights), len(weights)
    mass = [Fraction(0)] * size
    for entry, (probability, alias) in enumerate(zip(built.probability.tolist(), built.alias.tolist(), strict=True)):
        assert 0.0 <= probability <= 1.0
        mass[entry] += Fraction(probability) / size
        mass[alias] += (1 - Fraction(probability)) / size
    total = sum(map(Fraction, weights))
    assert all(
        abs(got - Fraction(weight) / total) < size * Fraction(2) ** -51
        for got, weight in zip(mass, weights, strict=True)
    )


@settings(deadline=None)
@given(WEIGHTS, st.lists(WEIGHTS, max_size=3), st.floats(2.0**-65, 1.0 - 2.0**-53))
def test_a_table_among_others_picks_as_it_does_alone(weights: list[float], others: list[list[float]], u: float) -> None:
    every = [*others, weights, *others]
    start = np.cumsum([0, *map(len, every)])
    tables = build_tables(np.concatenate(every), start, names=["m"] * len(every), code="c", where="w")
    assert pick(tables, u, len(others)) == pick(table(weights), u) == oracle.pick(oracle.vose(weights), u)


@settings(deadline=None)
@given(WEIGHTS)
def test_picks_change_where_the_probability_says(weights: list[float]) -> None:
    """Uniforms on both sides of each slot's coin, as close as float64 has them."""
    tables, size = table(weights), len(weights)
    for slot, probability in enumerate(tables.probability.tolist()):
        edge = (slot + probability) / size
        for u in (np.nextafter(edge, 0.0), edge, np.nextafter(edge, 1.0)):
            if 0.0 < u < 1.0:
                assert pick(tables, float(u)) == oracle.pick(oracle.vose(weights), float(u))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_the_last_uniform_picks_inside_the_table(size: int) -> None:
    tables = table([1.0] * size)
    assert 0 <= pick(tables, 1.0 - 2.0**-53) < size
    assert 0 <= pick(tables, 2.0**-65) < size


def test_an_entry_without_weight_is_never_picked() -> None:
    tables = table([0.0, 3.0, 0.0, 1.0, 0.0])
    us = (np.arange(100_000) + 0.5) / 100_000
    assert {pick(tables, u) for u in us} == {1, 3}


def test_frequencies_follow_the_weights() -> None:
    """Chi-square over 400,000 uniforms: a single entry whose share is off by 0.6 points is found with a power above
    0.99 at this significance."""
    weights = [5.0, 0.01, 3.0, 1.0, 1.0, 0.5, 2.0, 0.2, 7.0, 4.0]
    tables, draws = table(weights), 400_000
    us = np.random.default_rng(11).random(draws)
    seen = np.bincount([pick(tables, u) for u in us], minlength=len(weights))
    assert chisquare(seen, np.array(weights) / sum(weights) * draws).pvalue > 1e-3


LAYOUT = AliasLayoutPolicy("little", 32, 8)


def decoded(
    raw: bytes,
    entries: int,
    checksum: str | None = None,
    offset: int = 0,
    length: int | None = None,
    layout: AliasLayoutPolicy = LAYOUT,
) -> tuple[np.ndarray, np.ndarray]:
    """The slice at ``offset`` of a blob; its checksum is right unless given."""
    length = len(raw) - offset if length is None else length
    checksum = checksum or hashlib.sha256(raw[max(offset, 0) : offset + length]).hexdigest()
    return decode_slice(raw, offset, length, entries, checksum, layout, owner="merchant 7", code="5B.S4.INPUTS_MISSING")


def test_known_slices(known_answers: Answers) -> None:
    for entries, text, checksum, numerators, aliases in known_answers("slice"):
        raw = bytes.fromhex(text)
        big = np.frombuffer(raw, "<u4").astype(">u4").tobytes()
        for probability, alias in (
            decoded(raw, int(entries), checksum),
            decoded(bytes(8) + raw + bytes(8), int(entries), checksum, 8, len(raw)),
            decoded(big, int(entries), layout=replace(LAYOUT, endianness="big")),
        ):
            assert (probability * 2.0**32).tolist() == floats(numerators)
            assert alias.tolist() == [int(field) for field in aliases.split(",")]


def test_a_flipped_bit_in_a_slice_is_refused(known_answers: Answers) -> None:
    entries, text, checksum, *_ = known_answers("slice")[0]
    for byte in range(len(text) // 2):
        damaged = bytearray.fromhex(text)
        damaged[byte] ^= 1
        with pytest.raises(InputError, match="checksum differs"):
            decoded(bytes(damaged), int(entries), checksum)


def words(*values: int) -> bytes:
    return np.array(values, "<u4").tobytes()


@pytest.mark.parametrize(
    ("raw", "place", "problem"),
    [
        (words(2, 32, 0, 0, 9, 1, 9, 2), {}, "alias index 2 is not below 2"),
        (words(3, 32, 0, 0, 9, 1, 9, 1), {}, "holds 3 entries"),
        (words(2, 32, 0, 0, 9, 1), {}, "holds 2 entries in 24 bytes"),
        (words(2, 24, 0, 0, 9, 1, 9, 1), {}, "24 probability bits"),
        (words(2, 32, 0, 1, 9, 1, 9, 1), {}, "reserved words 0, 1"),
        (words(2, 32, 0, 0, 9, 1, 9, 1), {"length": 40}, "do not fit"),
        (words(2, 32, 0, 0, 9, 1, 9, 1), {"offset": -8}, "do not fit"),
        (words(2, 32, 0, 0, 9, 1, 9, 1), {"length": -1}, "do not fit"),
        (words(0, 2, 32, 0, 0, 9, 1, 9, 1), {"offset": 4}, "do not fit"),
        (words(2, 32), {}, "do not fit"),
    ],
)
def test_a_wrong_slice_is_refused_even_with_its_right_checksum(raw: bytes, place: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        decoded(raw, 2, **place)
