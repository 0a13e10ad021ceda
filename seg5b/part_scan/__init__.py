"""Arrival files, one at a time: each is decoded once, its rows are walked once, and what is kept of it is small and merges
(law L13).

`scan_part` is a pure function of a file's bytes and of a small record of constants; `part_files` remembers its results
beside the run. Nothing here is shared with the code that made the arrivals (law L11).
"""

from seg5b.part_scan.conditions import NAMES as CONDITIONS
from seg5b.part_scan.kept import PartFiles, PartScan, forget_others, part_files
from seg5b.part_scan.scan import ScanFacts, disordered
from seg5b.part_scan.walk import BINS as OFFSET_BINS

__all__ = [
    "CONDITIONS",
    "OFFSET_BINS",
    "PartFiles",
    "PartScan",
    "ScanFacts",
    "disordered",
    "forget_others",
    "part_files",
]
