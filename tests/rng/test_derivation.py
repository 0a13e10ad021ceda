"""The derivation of streams on the device, against known answers and hashlib."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from seg5b_kernels import registry
from seg5b_kernels.derivation import (
    DomainTemplates,
    StreamInputs,
    Streams,
    digit_count,
    draw_words,
)

from seg5b.backends.cpu import CpuBackend
from seg5b.rng.messages import bucket_domain_prefix, derive_stream, message_head
from seg5b.rng.templates import digits_for, padded_messages
from seg5b.runs.identity import RunIdentity
from tests.oracle import randomness as oracle

Answers = Callable[[str], list[list[str]]]
IDENTITY = RunIdentity("0" * 32, 42, "b" * 64, "a" * 64)


def test_known_streams(known_answers: Answers, cpu: CpuBackend) -> None:
    """By the host's derivation for all, and by the kernels where the key ends with a bucket index."""
    on_device = 0
    for sep, family, manifest, parameters, seed, scenario, key, *answer in known_answers("stream"):
        head = message_head(sep, family, RunIdentity("0" * 32, int(seed), parameters, manifest), scenario)
        stream = derive_stream(head, key)
        expected = [int(field, 16) for field in answer]
        assert [stream.key, stream.counter_hi, stream.counter_lo] == expected[:3], key
        prefix, mark, bucket = key.rpartition("bucket_index=")
        if mark:
            derived = derive(cpu, head, [prefix + mark], [(0, int(bucket))])
            assert [int(column[0]) for column in derived] == expected[:3], key
            assert [int(word) for word in draw_words(derived, 0, np.uint64(0))] == expected[3:], key
            on_device += 1
    assert on_device == 13


def derive(backend: CpuBackend, head: bytes, prefixes: list[str], domains: list[tuple[int, int]]) -> Streams:
    """Streams of (prefix number, bucket) by the two kernels."""
    digits = digits_for(1 + max(bucket for _, bucket in domains))
    messages, digit_at, tail_blocks = padded_messages(head, prefixes, digits)
    rows = digit_at.size
    # Not zeros: a word that is not written must show.
    templates = DomainTemplates(
        np.full((rows, 8), 7, np.uint32), np.full((rows, 32), 7, np.uint32), digit_at, tail_blocks
    )
    backend.launch(registry.ABSORB_TEMPLATE, rows, messages, templates)
    series, bucket = np.ascontiguousarray(np.array(domains, np.int32).T)
    streams, slot = (
        Streams(*np.zeros((3, series.size), np.uint64)),
        np.append(np.arange(len(prefixes), dtype=np.int32), np.int32(-1)),
    )
    series[series < 0] = len(prefixes)
    backend.launch(registry.DERIVE_STREAM, series.size, StreamInputs(templates, slot, series, bucket, digits), streams)
    return streams


def domains_with_every_layout() -> Iterator[tuple[str, int]]:
    """Prefixes of 64 successive lengths put the digits at each byte of a block, also across two; 1 to 5 digits."""
    for length in range(64):
        zone = "Z" * (length + 1)
        for bucket in (0, 9, 10, 42, 99, 100, 999, 1000, 2159, 9999, 10_000, 54_321, 99_999):
            yield bucket_domain_prefix("merchant_zone_bucket", 10**18 + length, zone, ""), bucket


def test_many_domains_equal_hashlib(cpu: CpuBackend) -> None:
    pairs = list(domains_with_every_layout())
    prefixes = list(dict.fromkeys(prefix for prefix, _ in pairs))
    head = message_head("5B.rng.v1", "S3.bucket_count.v1", IDENTITY, "baseline_v1")
    streams = derive(cpu, head, prefixes, [(prefixes.index(prefix), bucket) for prefix, bucket in pairs])
    for at, (prefix, bucket) in enumerate(pairs):
        raw = oracle.message(
            "5B.rng.v1", "S3.bucket_count.v1", "a" * 64, "b" * 64, 42, "baseline_v1", f"{prefix}{bucket}"
        )
        key, counter = oracle.stream(raw)
        ours = int(streams.key[at]), int(streams.counter_hi[at]) << 64 | int(streams.counter_lo[at])
        assert ours == (key, counter), (prefix, bucket)


def test_a_row_that_asks_for_no_stream_gets_none(cpu: CpuBackend) -> None:
    head = message_head("5B.rng.v1", "S3.bucket_count.v1", IDENTITY, "baseline_v1")
    prefix = bucket_domain_prefix("merchant_zone_bucket", 7, "Z", "")
    both, one = derive(cpu, head, [prefix], [(0, 3), (-1, 3)]), derive(cpu, head, [prefix], [(0, 3)])
    for name in Streams._fields:
        assert getattr(both, name).tolist() == [*getattr(one, name), 0]


def test_layouts_cover_both_tail_lengths_and_split_digits() -> None:
    """The premise of the test before: otherwise it would prove less than it says."""
    prefixes = list(dict.fromkeys(prefix for prefix, _ in domains_with_every_layout()))
    head = message_head("5B.rng.v1", "S3.bucket_count.v1", IDENTITY, "baseline_v1")
    _, digit_at, tail_blocks = padded_messages(head, prefixes, 5)
    assert set(digit_at.tolist()) == set(range(64))
    assert set(tail_blocks.tolist()) == {1, 2}
    assert (digit_at + np.tile(np.arange(1, 6), len(prefixes)) > 64).any()


@pytest.mark.parametrize("number", [0, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 99_999])
def test_digit_count(number: int) -> None:
    assert digit_count(np.int32(number)) == len(str(number))


def test_more_digits_than_kernels_handle_are_refused() -> None:
    assert digits_for(100_000) == 5
    with pytest.raises(ValueError, match="6 digits"):
        digits_for(100_001)
