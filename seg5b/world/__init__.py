"""Making upstream worlds: everything that 5B reads, from a specification or a preset and seeds, the same bytes every
time."""

from seg5b.world.make import make_world
from seg5b.world.own import World
from seg5b.world.presets import PRESETS
from seg5b.world.report import world_summary

__all__ = ["PRESETS", "World", "make_world", "world_summary"]
