"""Parts: the unit of work of S2, S3 and S4, for threads, processes, machines and restarts (law L13).

A part is a range of a dataset's rows, cut by counts and policy alone, made by a pure function of (run root, scenario,
part number). `write_parts` makes those that were not finished before; `make_part` is what any process calls.
"""

from seg5b.parts.checkpoints import FinishedPart, PartCheckpoints
from seg5b.parts.making import Maker, PartTask, make_part, part_checkpoints, write_parts

__all__ = ["FinishedPart", "Maker", "PartCheckpoints", "PartTask", "make_part", "part_checkpoints", "write_parts"]
