"""The ragged expansion: time order against sorting, offsets and hybrid coins against scalars, and their statistics."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from arrival_mix import RaggedRows, ragged_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_inputs import BUCKET_US, streams
from scipy.stats import chi2_contingency, kstest
from seg5b_kernels import registry
from seg5b_kernels.arrivals import (
    HYBRID,
    LINEAR,
    PHYSICAL,
    UNIFORM,
    VIRTUAL,
    BinInputs,
    Density,
    DrawInputs,
    Draws,
    Ordered,
    PlaceInputs,
    place_in_bucket,
)
from seg5b_kernels.clocks import HOURS, Clocks
from seg5b_kernels.coins import Coins
from seg5b_kernels.derivation import Streams, draw_words
from seg5b_kernels.segments import SlotRows

from seg5b.backends.cpu import CpuBackend
from tests.oracle import randomness as oracle

TOPMOST_WORD = 2**64 - 1
P_VIRTUAL = 0.35
EVENLY = Density(UNIFORM, np.zeros(1), 0, 0)
NEW_YEAR = Clocks(np.array([0, 1]), np.array([0]), np.array([-90], np.int32))


def one_coin(p: float) -> Coins:
    """The same for all arrivals."""
    return Coins(0, np.full(HOURS, p))


def in_one_place(series: int) -> tuple[np.ndarray, np.ndarray]:
    """Channel and zone of so many series: all the same."""
    return np.zeros(series, np.int8), np.zeros(series, np.int16)


class Made(NamedTuple):
    """``slot_row`` [n], what was drawn, and ``packed`` [n] in order."""

    slot_row: np.ndarray
    drawn: Draws
    packed: np.ndarray


def expand(
    backend: CpuBackend,
    rows: RaggedRows,
    time_stream: Streams,
    site_stream: Streams,
    mode: np.ndarray,
    bucket_us: int = BUCKET_US,
    density: Density = EVENLY,
    coins: Coins | None = None,
    channels: np.ndarray | None = None,
) -> Made:
    """Draw, sum up, place, order: what `seg5b.expansion.realise` does before routing."""
    n = int(rows.start[-1])
    slot_row, table = np.empty(n, np.int32), rows.table()
    backend.launch(registry.SPREAD_ROW, rows.count.size, table, SlotRows(slot_row))
    drawn = Draws(np.zeros(n, np.uint32), *np.zeros((3, n), np.int32))
    channel, zone = in_one_place(mode.size)
    channel = channel if channels is None else channels
    coins = coins or one_coin(P_VIRTUAL)
    inputs = DrawInputs(
        slot_row, table, mode, channel, zone, time_stream, site_stream, 0, bucket_us, coins, NEW_YEAR, density
    )
    backend.launch(registry.DRAW_ARRIVAL, n, inputs, drawn)
    bin_start = backend.exclusive_sum(drawn.bin_count, np.empty(n + 1, np.int32))
    ordered = Ordered(np.full(n, TOPMOST_WORD, np.uint64))
    place = PlaceInputs(slot_row, table, drawn.offset_us, drawn.bin_rank, bin_start)
    backend.launch(registry.PLACE_ARRIVAL, n, place, ordered)
    backend.launch(registry.ORDER_BIN, n, BinInputs(bin_start), ordered)
    return Made(slot_row, drawn, ordered.packed)


def expand_anyhow(backend: CpuBackend, rows: RaggedRows, seed: int, bucket_us: int = BUCKET_US) -> Made:
    """`expand` of random streams, all hybrid."""
    rng = np.random.default_rng(seed)
    size = rows.count.size
    mode = np.full(size, HYBRID, np.uint8)
    return expand(backend, rows, streams(size, rng), streams(size, rng), mode, bucket_us)


def in_order(rows: RaggedRows, made: Made) -> np.ndarray:
    """Offsets and slots sorted segment by segment: time, then series order, then draw."""
    slot = np.arange(made.slot_row.size)
    order = np.lexsort((slot, made.drawn.offset_us, rows.segment_start[made.slot_row]))
    offset: np.ndarray = made.drawn.offset_us[order].astype(np.uint64)
    return offset << np.uint64(32) | order.astype(np.uint64)


SEGMENTS = st.lists(
    st.lists(st.one_of(st.integers(1, 4), st.integers(1, 300)), min_size=1, max_size=5), min_size=1, max_size=30
)


@settings(deadline=None)
@given(segments=SEGMENTS, seed=st.integers(0, 9), bucket_us=st.sampled_from([BUCKET_US, 900_000_000, 1_000, 7, 1]))
def test_segments_come_out_sorted(cpu: CpuBackend, segments: list[list[int]], seed: int, bucket_us: int) -> None:
    """Short buckets make many equal offsets: then the slot decides."""
    rows = ragged_rows(np.concatenate(segments), np.array([len(segment) for segment in segments]))
    made = expand_anyhow(cpu, rows, seed, bucket_us)
    assert (made.packed == in_order(rows, made)).all()


@pytest.mark.parametrize("counts", [[50_000], [1, 50_000, 1], [20_000, 20_000, 10_000], [1] * 3000])
def test_skewed_segments_come_out_sorted(cpu: CpuBackend, counts: list[int]) -> None:
    """A bucket at the policy's limit beside its smallest neighbours, alone and sharing a segment."""
    for segment_rows in (np.array([len(counts)]), np.ones(len(counts), int)):
        rows = ragged_rows(np.array(counts), segment_rows)
        made = expand_anyhow(cpu, rows, 3)
        assert (made.packed == in_order(rows, made)).all()


def test_bins_stay_small_for_every_bucket_length_a_policy_may_ask_for(cpu: CpuBackend) -> None:
    """Ordering a bin takes time with the square of its size, so sizes must not grow with the bucket's count."""
    rows = ragged_rows(np.array([50_000]), np.array([1]))
    for seconds, largest in ((3600, 12), (1800, 16), (900, 24)):
        made = expand_anyhow(cpu, rows, 4, seconds * 1_000_000)
        assert made.drawn.bin_count.sum() == 50_000
        assert made.drawn.bin_count.max() <= largest


def test_arrivals_that_meet_in_one_bin_are_all_counted(cpu: CpuBackend) -> None:
    """A bucket of one microsecond sends every arrival to the same bin: each must find a place of its own there."""
    n = 400_000
    rows = ragged_rows(np.full(8, n // 8), np.array([8]))
    rng = np.random.default_rng(9)
    mode = np.zeros(8, np.uint8)
    inputs = DrawInputs(
        np.repeat(np.arange(8, dtype=np.int32), n // 8),
        rows.table(),
        mode,
        *in_one_place(8),
        streams(8, rng),
        streams(8, rng),
        0,
        1,
        one_coin(0.5),
        NEW_YEAR,
        EVENLY,
    )
    drawn = Draws(np.zeros(n, np.uint32), *np.zeros((3, n), np.int32))
    cpu.launch(registry.DRAW_ARRIVAL, n, inputs, drawn)
    assert drawn.bin_count[0] == drawn.bin_count.sum() == n
    assert (np.sort(drawn.bin_rank) == np.arange(n)).all()


def test_a_bucket_does_not_depend_on_its_neighbours(cpu: CpuBackend) -> None:
    rng = np.random.default_rng(6)
    times, sites, mode = streams(3, rng), streams(3, rng), np.array([PHYSICAL, HYBRID, VIRTUAL], np.uint8)
    together = expand(cpu, ragged_rows(np.array([40, 50, 60]), np.array([1, 1, 1])), times, sites, mode)
    for row, (first, stop) in enumerate(((0, 40), (40, 90), (90, 150))):
        one = slice(row, row + 1)
        alone = expand(
            cpu,
            ragged_rows(np.array([stop - first]), np.array([1])),
            Streams(*(column[one] for column in times)),
            Streams(*(column[one] for column in sites)),
            mode[one],
        )
        assert (alone.drawn.offset_us == together.drawn.offset_us[first:stop]).all()
        assert (alone.drawn.is_virtual == together.drawn.is_virtual[first:stop]).all()


@pytest.mark.parametrize("bucket_us", [BUCKET_US, 900_000_000, 7, 1])
def test_draws_equal_the_law(cpu: CpuBackend, bucket_us: int) -> None:
    rng = np.random.default_rng(8)
    count, mode = np.array([30, 1, 20, 9]), np.array([HYBRID, PHYSICAL, VIRTUAL, HYBRID], np.uint8)
    times, sites = streams(4, rng), streams(4, rng)
    made = expand(cpu, ragged_rows(count, np.array([2, 2])), times, sites, mode, bucket_us)
    expected = [
        (int(oracle.uniform(draw(times, row, j)[0]) * bucket_us), is_virtual(sites, row, j, int(mode[row])))
        for row in range(4)
        for j in range(count[row])
    ]
    assert list(zip(made.drawn.offset_us.tolist(), made.drawn.is_virtual.tolist(), strict=True)) == expected


def draw(of: Streams, row: int, j: int) -> tuple[int, int]:
    return oracle.words((int(of.key[row]), int(of.counter_hi[row]) << 64 | int(of.counter_lo[row])), j)


def is_virtual(sites: Streams, row: int, j: int, mode: int) -> int:
    return int(mode == VIRTUAL or (mode == HYBRID and oracle.uniform(draw(sites, row, j)[0]) < P_VIRTUAL))


@pytest.mark.parametrize("bucket_us", [BUCKET_US, 900_000_000, 1])
@pytest.mark.parametrize(("word", "at_end"), [(0, False), (TOPMOST_WORD, True)])
def test_the_rarest_words_fall_into_the_bucket(cpu: CpuBackend, bucket_us: int, word: int, at_end: bool) -> None:
    counter = oracle.counter_of((word, 5), 77)
    stream = Streams(*(np.array([value], np.uint64) for value in (77, counter >> 64, counter & TOPMOST_WORD)))
    made = expand(
        cpu, ragged_rows(np.array([1]), np.array([1])), stream, stream, np.array([HYBRID], np.uint8), bucket_us
    )
    assert made.drawn.offset_us[0] == (bucket_us - 1 if at_end else 0)
    assert made.drawn.is_virtual[0] == (0 if at_end else 1)


# --------------------------------------------------------------------------- statistics: fixed seeds, one large sample

ARRIVALS = 200_000


@pytest.fixture(scope="module")
def uniforms() -> np.ndarray:
    """u_time, u0 and u1 of successive arrivals of buckets with 1,000 each; float64 [3, ARRIVALS]."""
    rng = np.random.default_rng(12)
    times, sites = streams(ARRIVALS // 1000, rng), streams(ARRIVALS // 1000, rng)
    words = np.empty((3, ARRIVALS), np.uint64)
    for at in range(ARRIVALS):
        row, j = at // 1000, np.uint64(at % 1000)
        words[0, at] = draw_words(times, row, j)[0]
        words[1:, at] = draw_words(sites, row, j)
    return words.astype(float) / 2.0**64


@pytest.mark.parametrize("which", [0, 1, 2])
def test_uniforms_are_uniform(uniforms: np.ndarray, which: int) -> None:
    """Kolmogorov-Smirnov: a distribution that is off by 0.7 % anywhere is found with a power above 0.99."""
    assert kstest(uniforms[which], "uniform").pvalue > 1e-3


@pytest.mark.parametrize(("one", "other"), [(0, 1), (0, 2), (1, 2)])
def test_the_draws_of_an_arrival_are_independent(uniforms: np.ndarray, one: int, other: int) -> None:
    """Five standard errors of the correlation find 0.018 with a power above 0.998; the table of 10 x 10 cells finds
    dependence that a correlation cannot see, down to a root mean square of 2.5 % of a cell's share."""
    assert abs(np.corrcoef(uniforms[one], uniforms[other])[0, 1]) < 5.0 / math.sqrt(ARRIVALS)
    assert chi2_contingency(cells(uniforms[one], uniforms[other])).pvalue > 1e-3


@pytest.mark.parametrize("which", [0, 1, 2])
def test_successive_arrivals_are_independent(uniforms: np.ndarray, which: int) -> None:
    now, then = uniforms[which][:-1], uniforms[which][1:]
    assert abs(np.corrcoef(now, then)[0, 1]) < 5.0 / math.sqrt(ARRIVALS)
    assert chi2_contingency(cells(now, then)).pvalue > 1e-3


def cells(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    counted: np.ndarray = np.histogram2d(x, y, bins=10, range=((0, 1), (0, 1)))[0]
    return counted


def test_arrivals_of_one_bucket_do_not_share_their_site_draw(uniforms: np.ndarray) -> None:
    """Defect D1's signature: word 1 was the same for all arrivals of a bucket row. Here all differ, and the spread
    within buckets is that of a uniform."""
    u1 = uniforms[2].reshape(-1, 1000)
    assert all(np.unique(bucket).size == 1000 for bucket in u1)
    assert u1.var(axis=1).mean() == pytest.approx(1.0 / 12.0, rel=0.02)


def test_offsets_fill_the_bucket_evenly(cpu: CpuBackend) -> None:
    """Kolmogorov-Smirnov over 200,000 offsets of many buckets: an error of 0.7 % anywhere is found with a power above
    0.99."""
    made = expand_anyhow(cpu, ragged_rows(np.full(4000, 50), np.full(1000, 4)), 13)
    assert kstest((made.drawn.offset_us + 0.5) / BUCKET_US, "uniform").pvalue > 1e-3


def test_the_hybrid_share_is_the_policy_s(cpu: CpuBackend) -> None:
    """Five standard errors of a share over 200,000 arrivals; a share off by 0.9 points is found with a power of 0.998.
    The coin does not depend on the time."""
    made = expand_anyhow(cpu, ragged_rows(np.full(4000, 50), np.full(1000, 4)), 14)
    virtual = made.drawn.is_virtual
    assert abs(virtual.mean() - P_VIRTUAL) < 5.0 * math.sqrt(P_VIRTUAL * (1.0 - P_VIRTUAL) / virtual.size)
    assert abs(np.corrcoef(virtual, made.drawn.offset_us)[0, 1]) < 5.0 / math.sqrt(virtual.size)


def test_a_coin_by_the_hour_follows_the_clock_of_the_series(cpu: CpuBackend) -> None:
    """Bucket 0 begins at 22:30 under an offset of -90 minutes: its first half has the probability of hour 22, its second that
    of hour 23, and no other enters. Of the second channel they stand behind the first's."""
    rows = ragged_rows(np.full(2, 20_000), np.ones(2, int))
    rng = np.random.default_rng(17)
    mode = np.full(2, HYBRID, np.uint8)
    p = np.full((2, HOURS), np.nan)
    p[0, 22], p[0, 23], p[1, 22], p[1, 23] = 0.0, 1.0, 0.3, 0.6
    sites = streams(2, rng)
    drawn = expand(
        cpu, rows, streams(2, rng), sites, mode, coins=Coins(1, p.ravel()), channels=np.array([0, 1], np.int8)
    ).drawn
    hour = 22 + (drawn.offset_us >= BUCKET_US // 2)
    u = [oracle.uniform(draw(sites, row, j)[0]) for row in range(2) for j in range(20_000)]
    assert (drawn.is_virtual == (u < p[np.repeat([0, 1], 20_000), hour])).all()
    assert 4000 < (drawn.is_virtual[20_000:] == 1).sum() < 14_000


# ---------------------------------------------------------------------------------------------- straight pieces (linear_v1)

INTENSITY = st.one_of(st.floats(1e-3, 1e3), st.just(0.0))


def heights(before: Fraction, own: Fraction, after: Fraction) -> tuple[Fraction, Fraction, Fraction]:
    """Law L17 in fractions: heights at the edges and the centre of a bucket, in arrivals per bucket."""
    first, last = (min((near + own) / 2, 2 * min(near, own)) for near in (before, after))
    return first, (4 * own - first - last) / 2, last


def mass_before(place: Fraction, before: Fraction, own: Fraction, after: Fraction) -> Fraction:
    """What lies before a place in the bucket, by adding up trapezoids; the whole is ``own``."""
    first, middle, last = heights(before, own, after)
    total = Fraction(0)
    for begin, low, high in ((Fraction(0), first, middle), (Fraction(1, 2), middle, last)):
        reached = min(max(place - begin, Fraction(0)), Fraction(1, 2))
        there = low + (high - low) * reached * 2
        total += reached * (low + there) / 2
    return total


@settings(max_examples=300, deadline=None)
@given(before=INTENSITY, own=st.floats(1e-3, 1e3), after=INTENSITY, u=st.floats(2.0**-65, 1 - 2.0**-53))
def test_the_place_has_the_mass_u_before_it(before: float, own: float, after: float, u: float) -> None:
    """The density is added up in fractions and held against u; where it is low, a little mass is a long way."""
    found = place_in_bucket(u, before, own, after)
    assert 0.0 <= found <= 1.0
    exact = [Fraction(each) for each in (before, own, after)]
    assert abs(float(mass_before(Fraction(found), *exact) / exact[1]) - u) < 1e-14


@settings(deadline=None)
@given(before=INTENSITY, own=st.floats(1e-3, 1e3), after=INTENSITY)
def test_a_bucket_keeps_its_mass_and_no_height_is_negative(before: float, own: float, after: float) -> None:
    exact = [Fraction(each) for each in (before, own, after)]
    assert min(heights(*exact)) >= 0
    assert mass_before(Fraction(1), *exact) == exact[1]


@pytest.mark.parametrize("u", [2.0**-65, 0.5, 1.0 - 2.0**-53])
@pytest.mark.parametrize("near", [(0.0, 0.0), (0.0, 9.0), (9.0, 0.0), (9.0, 9.0), (1.0, 1.0), (1e-9, 1e9)])
def test_extreme_draws_and_neighbours_stay_inside(near: tuple[float, float], u: float) -> None:
    """Both neighbours at twice its intensity and more leave height 0 at the centre, where half of the mass lies behind."""
    found = place_in_bucket(u, near[0], 1.0, near[1])
    assert 0.0 <= found <= 1.0
    if u == 0.5 and near[0] == near[1]:
        assert found == 0.5
    if near == (1.0, 1.0):
        assert found == pytest.approx(u, abs=1e-16)


def test_without_an_intensity_there_is_no_shape() -> None:
    assert [place_in_bucket(u, 5.0, 0.0, 1.0) for u in (0.25, 0.5, 0.75)] == [0.25, 0.5, 0.75]
    assert 0.0 <= place_in_bucket(0.3, math.nan, 1.0, math.inf) <= 1.0


def test_the_density_goes_on_across_an_edge() -> None:
    """Arrivals a little before and a little after an edge are as dense, in arrivals per time, whatever both buckets hold."""
    rng = np.random.default_rng(3)
    for first, second, third, fourth in rng.exponential(5.0, (50, 4)):
        near = 1e-8
        last = second * (1.0 - place_in_bucket(1.0 - near, first, second, third))
        begins = third * place_in_bucket(near, second, third, fourth)
        assert near * second**2 / last == pytest.approx(near * third**2 / begins, rel=1e-3)


def test_linear_draws_follow_the_intensities_of_their_series(cpu: CpuBackend) -> None:
    """Five buckets of two series, of which the block begins with number 7: the place that the kernel draws has the mass u before
    it; both ends of the horizon take their own intensity for the one beyond."""
    rng = np.random.default_rng(11)
    realised = rng.exponential(3.0, (2, 5))
    realised[0, 3] = 0.0
    rows = [(0, 0), (0, 2), (0, 4), (1, 0), (1, 1), (1, 4)]
    ragged = ragged_rows(np.full(6, 40), np.ones(6, int))
    times = streams(6, rng)
    table = ragged.table()._replace(
        series=np.array([7 + k for k, _ in rows], np.int32), bucket=np.array([b for _, b in rows], np.int32)
    )
    slot_row = np.repeat(np.arange(6, dtype=np.int32), 40)
    drawn = Draws(np.zeros(240, np.uint32), *np.zeros((3, 240), np.int32))
    density = Density(LINEAR, realised.ravel(), 7, 5)
    mode = np.zeros(9, np.uint8)
    cpu.launch(
        registry.DRAW_ARRIVAL,
        240,
        DrawInputs(
            slot_row, table, mode, *in_one_place(9), times, times, 0, BUCKET_US, one_coin(0.5), NEW_YEAR, density
        ),
        drawn,
    )
    for slot, offset in enumerate(drawn.offset_us.tolist()):
        series, bucket = rows[row := slot // 40]
        own = Fraction(realised[series, bucket])
        before = Fraction(realised[series, bucket - 1]) if bucket else own
        after = Fraction(realised[series, bucket + 1]) if bucket < 4 else own
        u = oracle.uniform(draw(times, row, slot % 40)[0])
        low, high = (mass_before(Fraction(offset + more, BUCKET_US), before, own, after) / own for more in (0, 1))
        assert low - Fraction(1, 10**12) <= u <= high + Fraction(1, 10**12)
