"""The ragged expansion: from counts per bucket to arrivals in time order, any range of them on its own.

`totals` adds up what S3 counted, `blocks` brings some merchants' counts into output order, `realise` makes their
arrivals, `parts` cuts and writes them. What is held at a time grows with series and days, not with arrivals or buckets.
"""

from seg5b.expansion.blocks import MerchantBlock, MerchantBlocks, Window
from seg5b.expansion.realise import Realiser, RouteTables, arrival_buffers
from seg5b.expansion.totals import ArrivalTotals, read_totals

__all__ = [
    "ArrivalTotals",
    "MerchantBlock",
    "MerchantBlocks",
    "Realiser",
    "RouteTables",
    "Window",
    "arrival_buffers",
    "read_totals",
]
