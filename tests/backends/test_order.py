"""Uploads, computing and downloads keep their order on a device that does nothing before it has to."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from seg5b.backends.cuda import CudaBackend, CupyArrays
from tests.backends.late_cupy import late_cupy


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> CudaBackend:
    monkeypatch.setitem(sys.modules, "cupy", late_cupy())
    return CudaBackend("late")


def test_a_download_waits_for_what_was_asked_for_before(late: CudaBackend) -> None:
    counts = np.array([3, 0, 2], np.int32)
    sums = late.exclusive_sum(late.upload(counts), late.empty(4, np.int64))
    assert late.download(sums).tolist() == [0, 3, 3, 5]


def test_an_upload_keeps_what_it_reads_and_frees_the_callers_array(late: CudaBackend) -> None:
    given = np.arange(1000)
    uploaded = [late.upload(given + number) for number in range(5)]
    before = late.upload(given)
    given[:] = -1
    assert (late.download(before) == np.arange(1000)).all()
    assert all((late.download(each) == np.arange(1000) + number).all() for number, each in enumerate(uploaded))


def test_a_download_may_be_of_an_earlier_moment(late: CudaBackend) -> None:
    """It waits for the mark, and not for what was asked for since."""
    first = late.exclusive_sum(late.upload(np.array([1, 1])), late.empty(3, np.int64))
    mark = late.mark()
    later = late.mark()
    assert [each.tolist() for each in late.downloads([first, first], mark)] == [[0, 1, 2]] * 2
    assert mark.done and not later.done


def test_what_was_downloaded_stays_when_others_follow(late: CudaBackend) -> None:
    found = [late.download(late.upload(np.full(700, number))) for number in range(8)]
    assert [set(each.tolist()) for each in found] == [{number} for number in range(8)]


def test_a_download_that_fails_leaves_no_copy_under_way(late: CudaBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory goes back to a pool, from which another thread may have it at once."""
    arrays = [late.upload(np.arange(9)) for _ in range(2)]
    assert isinstance(late._arrays, CupyArrays)
    runtime, copies = sys.modules["cupy"].cuda.runtime, late._arrays._copies
    copy, asked = runtime.memcpyAsync, list[int]()

    def interrupted(*arguments: int) -> None:
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt
        copy(*arguments)

    monkeypatch.setattr(runtime, "memcpyAsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        late.downloads(arrays)
    assert len(copies.asked) == copies.done > 0
