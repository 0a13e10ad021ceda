"""S0: the gate in front of 5B. It verifies upstream and seals what may be read; every later state checks it before
reading."""

from seg5b.gate.access import Gate
from seg5b.gate.bundles import Depth
from seg5b.gate.catalogue import is_upstream_dataset
from seg5b.gate.content import ContentEntry
from seg5b.gate.inputs import place_of
from seg5b.gate.opening import open_gate
from seg5b.gate.reseal import Superseded, reseal, set_aside
from seg5b.gate.rows import SealedRow
from seg5b.gate.s0 import GateReport, check_gate, run_gate
from seg5b.gate.scenarios import Scenario, scenarios_of_run, scenarios_of_world
from seg5b.gate.upstream import GateProgress, UpstreamSegment

__all__ = [
    "ContentEntry",
    "Depth",
    "Gate",
    "GateProgress",
    "GateReport",
    "Scenario",
    "SealedRow",
    "Superseded",
    "UpstreamSegment",
    "check_gate",
    "is_upstream_dataset",
    "open_gate",
    "place_of",
    "reseal",
    "run_gate",
    "scenarios_of_run",
    "scenarios_of_world",
    "set_aside",
]
