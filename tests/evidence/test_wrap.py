"""A stream that would pass 2^128 aborts before it is used (defect D8)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from seg5b.errors import EvidenceError
from seg5b.evidence import refuse_wrap
from seg5b.evidence.trace import counter128
from seg5b.policy import RngFamily

TOP = 2**64 - 1
FAMILY = RngFamily("S2.latent_vector.v1", "5B.S2", "latent_vector", "group")
STATE = SimpleNamespace(code=lambda reason: f"5B.S2.{reason}")


def _refuse(high: int, low: int, blocks: int) -> None:
    refuse_wrap(STATE, FAMILY, [0, counter128(high, low)], blocks)  # type: ignore[arg-type]


@pytest.mark.parametrize(("high", "low", "blocks"), [(TOP, TOP, 1), (TOP, TOP - 9, 10), (TOP, TOP - 9, 50_000)])
def test_wrap_is_refused(high: int, low: int, blocks: int) -> None:
    with pytest.raises(EvidenceError, match=r"5B\.S2\.RNG_ACCOUNTING_MISMATCH.*event 1"):
        _refuse(high, low, blocks)


@pytest.mark.parametrize(("high", "low", "blocks"), [(TOP, TOP - 9, 9), (TOP - 1, TOP, 50_000), (TOP, TOP, 0)])
def test_what_stays_below_is_allowed(high: int, low: int, blocks: int) -> None:
    _refuse(high, low, blocks)
