"""Parts: the unit of work of S2, S3 and S4, for threads, processes, machines and restarts (law L13).

A part is a range of a dataset's rows, cut by counts and policy alone, made by a pure function of (run root, scenario,
part number). `write_parts` makes those that were not finished before; `make_part` is what any process calls. In a replay
they are made again and compared with what is published (law L15).
"""

from seg5b.parts.checkpoints import FinishedPart, PartCheckpoints
from seg5b.parts.compared import ComparedPart
from seg5b.parts.making import Maker, PartStore, PartTask, make_part, part_store, write_parts

__all__ = [
    "ComparedPart",
    "FinishedPart",
    "Maker",
    "PartCheckpoints",
    "PartStore",
    "PartTask",
    "make_part",
    "part_store",
    "write_parts",
]
