"""A reader of frames with its backend, for tests that do not care which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg5b.backends.base import Backend
from seg5b.frames.base import FrameColumns, Frames, TextColumn


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader and the backend it reads for."""

    frames: Frames
    backend: Backend

    def host(self, columns: FrameColumns) -> dict[str, np.ndarray | list[str]]:
        """A piece on the host, texts as strings."""
        found: dict[str, np.ndarray | list[str]] = {}
        for name, column in columns.items():
            if isinstance(column, TextColumn):
                codes = self.backend.download(column.codes)
                assert codes.dtype == np.int32
                found[name] = [column.values[code] for code in codes]
            else:
                found[name] = np.array(self.backend.download(column))
        return found
