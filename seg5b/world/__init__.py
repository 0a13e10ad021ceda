"""Making upstream worlds: everything that 5B reads, from a preset and seeds, the same bytes every time."""

from seg5b.world.make import make_world
from seg5b.world.presets import PRESETS
from seg5b.world.report import world_summary

__all__ = ["PRESETS", "make_world", "world_summary"]
