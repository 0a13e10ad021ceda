"""Streams of buckets, derived on the backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.derivation import TAIL_WORDS, DomainTemplates, StreamInputs, Streams

from seg5b.axes import SeriesAxis
from seg5b.backends.base import Array, Backend
from seg5b.policy import RngFamily, RngPolicy
from seg5b.rng.messages import bucket_domain_prefix, message_head
from seg5b.rng.templates import digits_for, padded_messages
from seg5b.runs.identity import RunIdentity


@dataclass(frozen=True, slots=True)
class StreamSource:
    """Derives the streams of one family for buckets of chosen series.

    ``templates`` on the backend, one slot per chosen series; ``digits_max`` rows per slot.
    """

    family: RngFamily
    templates: DomainTemplates
    digits_max: int
    backend: Backend

    def streams(self, slot: Array, series: Array, bucket: Array) -> Streams:
        """Streams of n buckets: ``series`` int32 [n] and ``bucket`` int32 [n]; ``slot`` int32 by series: its position among
        the chosen ones, negative for none. All on the backend, and so are the `Streams`."""
        n = bucket.size
        outputs = Streams(*(self.backend.empty(n, np.uint64) for _ in Streams._fields))
        inputs = StreamInputs(self.templates, slot, series, bucket, self.digits_max)
        self.backend.launch(registry.DERIVE_STREAM, n, inputs, outputs)
        return outputs


@dataclass(frozen=True, slots=True)
class StreamScope:
    """What names a stream of a scenario besides its family and domain: the policy of random numbers, whose run it is,
    the scenario."""

    policy: RngPolicy
    identity: RunIdentity
    scenario_id: str

    def head(self, family_id: str) -> bytes:
        """Everything of the derivation message before the domain key."""
        return message_head(self.policy.domain_sep, family_id, self.identity, self.scenario_id)


def stream_source(
    backend: Backend,
    scope: StreamScope,
    family_id: str,
    axis: SeriesAxis,
    chosen: Sequence[int],
    bucket_count: int,
) -> StreamSource:
    """Prepare a family's templates for the series ``chosen`` (positions on the axis) over ``bucket_count`` buckets."""
    family, head = scope.policy.families[family_id], scope.head(family_id)
    keys = (axis.key(series) for series in chosen)
    prefixes = [bucket_domain_prefix(family.domain_key_law, *key) for key in keys]
    digits_max = digits_for(bucket_count)
    messages, digit_at, tail_blocks = padded_messages(head, prefixes, digits_max)
    rows = digit_at.size
    templates = backend.fixed(
        DomainTemplates(
            backend.empty((rows, 8), np.uint32),
            backend.empty((rows, TAIL_WORDS), np.uint32),
            backend.upload(digit_at),
            backend.upload(tail_blocks),
        )
    )
    uploaded = backend.table(messages)
    backend.launch(registry.ABSORB_TEMPLATE, rows, uploaded, templates)
    return StreamSource(family, templates, digits_max, backend)
