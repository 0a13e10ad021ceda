"""Columns of Parquet files on the backend: by Arrow on the host, by cudf on the device."""

from seg5b.frames.base import FrameColumns, Frames, TextColumn
from seg5b.frames.choose import frames_for, refuse_frames

__all__ = ["FrameColumns", "Frames", "TextColumn", "frames_for", "refuse_frames"]
