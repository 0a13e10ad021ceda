"""Proof by replay: make a run again from its sealed inputs, and name what is published otherwise (law L15).

`run.replay` judges the gate, makes S1-S4 again with the kernels, compares every file with what was made, and looks for
files that no state makes. Nothing is written into the run.
"""

from seg5b.replay.run import ReplayReport, replay

__all__ = ["ReplayReport", "replay"]
