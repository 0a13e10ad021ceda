"""The ragged expansion: from counts per bucket to arrivals in time order, any range of them on its own.

`census` adds up what S3 counted, `blocks` brings some merchants' counts into output order, `realise` makes their
arrivals, `writing` encodes them. What is held at a time grows with series and days, not with arrivals or buckets.
"""

from seg5b.expansion.blocks import Block, Blocks, Window
from seg5b.expansion.census import Census, take_census
from seg5b.expansion.realise import Realiser, RouteTables, arrival_buffers

__all__ = ["Block", "Blocks", "Census", "Realiser", "RouteTables", "Window", "arrival_buffers", "take_census"]
