"""Proof by replay: make a run again from its sealed inputs, and name what is published otherwise (law L15).

`run.replay` judges the gate, makes S1-S4 again with the kernels, compares every file with what was made, and looks for
files that no state makes. `events.regenerate_events` makes records of single events again. Nothing is written into the run.
"""

from seg5b.replay.events import EventRequest, Regenerated, regenerate_events
from seg5b.replay.run import ReplayReport, replay

__all__ = ["EventRequest", "Regenerated", "ReplayReport", "regenerate_events", "replay"]
