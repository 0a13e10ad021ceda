"""Offsets: kept, resumed, refused where they belong to something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seg5b.api import Run
from seg5b.errors import InputError, PublishError
from tests.stream.conftest import Arrival, KeptSink

Streamed = Callable[..., KeptSink]


def offset_in(file: Path) -> int:
    return int(json.loads(file.read_text())["offset"])


def test_what_was_acknowledged_is_not_sent_again(stream: Streamed, arrivals: list[Arrival], tmp_path: Path) -> None:
    file = tmp_path / "offset"
    broken = KeptSink(most_rows=300, breaks_at=900)
    with pytest.raises(OSError, match="broken"):
        stream(broken, file)
    assert offset_in(file) == 900 == len(broken.keys)
    rest = stream(None, file)
    assert rest.parts[0].offset == 900
    assert broken.keys + rest.keys == [key[1:] for key in arrivals]
    assert offset_in(file) == len(arrivals)
    assert stream(None, file).parts == []
    assert list(tmp_path.iterdir()) == [file]


def test_an_arrival_that_was_not_acknowledged_is_sent_again(stream: Streamed, tmp_path: Path) -> None:
    class Silent(KeptSink):
        """Takes everything and acknowledges nothing."""

        def send(self, part: Any) -> None:
            self.parts.append(part)
            if len(self.parts) == 3:
                raise OSError("broken")

    file = tmp_path / "offset"
    with pytest.raises(OSError, match="broken"):
        stream(Silent(), file)
    assert offset_in(file) == 0


@pytest.mark.parametrize("other", [{"scenario": "stress_peak_online_v1"}, {"where": "is_virtual"}, {"merchants": (1,)}])
def test_an_offset_of_another_order_is_refused(stream: Streamed, tmp_path: Path, other: dict[str, Any]) -> None:
    file = tmp_path / "offset"
    stream(None, file, limit=5)
    with pytest.raises(InputError, match=r"5B\.STREAM\.OFFSETS_OF_ANOTHER"):
        stream(None, file, **other)
    assert offset_in(file) == 5


@pytest.mark.parametrize("held", [b"", b"5", b'{"offset": -1}', b"{" * 100])
def test_a_file_that_holds_something_else_is_refused(stream: Streamed, tmp_path: Path, held: bytes) -> None:
    file = tmp_path / "offset"
    file.write_bytes(held)
    with pytest.raises(InputError, match=r"5B\.STREAM\.OFFSETS_UNREADABLE"):
        stream(None, file)
    assert file.read_bytes() == held


def test_no_offset_is_kept_in_a_run(run: Run, stream: Streamed) -> None:
    with pytest.raises(PublishError, match=r"5B\.EXPORT\.TARGET_IN_RUN"):
        stream(None, run.root.path / "offset")
