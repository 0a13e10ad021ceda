"""Files of arrivals (S4), and of intensities and counts (S2, S3), a part or range of rows at a time: each is decoded once,
its rows are walked once, and what is kept of it is small and merges (law L13).

`ArrivalScan` and `CellScan` are pure functions of the bytes of files and of a small record of facts; `part_files` remembers
their results beside the run. Nothing here is shared with the code that made the files (law L11).
"""

from seg5b.part_scan.arrivals.scan import ArrivalScan, ScanFacts, disordered
from seg5b.part_scan.arrivals.tables import SUMS as ROUTE_SUMS
from seg5b.part_scan.arrivals.walk import BINS as OFFSET_BINS
from seg5b.part_scan.cells.scan import CellFacts, CellScan
from seg5b.part_scan.cells.tables import LATENT, SCATTER
from seg5b.part_scan.cells.tables import TABLES as CELL_TABLES
from seg5b.part_scan.cells.walk import LARGEST
from seg5b.part_scan.kept import PartFiles, Scan, forget_others, part_files, placed
from seg5b.part_scan.loops import NAMED

__all__ = [
    "CELL_TABLES",
    "LARGEST",
    "LATENT",
    "NAMED",
    "OFFSET_BINS",
    "ROUTE_SUMS",
    "SCATTER",
    "ArrivalScan",
    "CellFacts",
    "CellScan",
    "PartFiles",
    "Scan",
    "ScanFacts",
    "disordered",
    "forget_others",
    "part_files",
    "placed",
]
