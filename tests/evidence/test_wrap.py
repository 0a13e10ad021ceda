"""A stream that would pass 2^128 aborts before it is used (defect D8)."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from seg5b_kernels.derivation import Streams

from seg5b.backends.cpu import CpuBackend
from seg5b.errors import EvidenceError
from seg5b.evidence import refuse_wrap
from seg5b.policy import RngFamily

TOP = 2**64 - 1
FAMILY = RngFamily("S4.arrival_time_jitter.v1", "5B.S4", "arrival_time_jitter", "merchant_zone_bucket")
STATE = SimpleNamespace(code=lambda reason: f"5B.S4.{reason}", backend=CpuBackend("test"))


def _refuse(high: int, low: int, blocks: int) -> None:
    streams = Streams(np.zeros(2, np.uint64), np.array([0, high], np.uint64), np.array([0, low], np.uint64))
    refuse_wrap(STATE, FAMILY, streams, np.array([1, blocks], np.int32))  # type: ignore[arg-type]


@pytest.mark.parametrize(("high", "low", "blocks"), [(TOP, TOP, 1), (TOP, TOP - 9, 10), (TOP, TOP - 9, 50_000)])
def test_wrap_is_refused(high: int, low: int, blocks: int) -> None:
    with pytest.raises(EvidenceError, match=r"5B\.S4\.RNG_ACCOUNTING_MISMATCH"):
        _refuse(high, low, blocks)


@pytest.mark.parametrize(("high", "low", "blocks"), [(TOP, TOP - 9, 9), (TOP - 1, TOP, 50_000), (TOP, TOP, 0)])
def test_what_stays_below_is_allowed(high: int, low: int, blocks: int) -> None:
    _refuse(high, low, blocks)
