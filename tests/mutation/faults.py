"""Every planted fault, by name."""

from __future__ import annotations

from tests.mutation.count_faults import COUNTED, STREAMS
from tests.mutation.data_faults import REWRITTEN, TAMPERED
from tests.mutation.field_faults import FIELD, LEVELS
from tests.mutation.records import Fault
from tests.mutation.route_faults import ROUTES
from tests.mutation.time_faults import CLOCKS, TIMES
from tests.mutation.told_faults import TOLD
from tests.mutation.worlds import WORLDS

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (*FIELD, *LEVELS, *STREAMS, *COUNTED, *TIMES, *ROUTES, *CLOCKS, *TOLD, *TAMPERED, *REWRITTEN)
}
CONTROLS: dict[str, Fault] = {
    f"control: {world}": Fault(f"control: {world}", "control", f"no fault, in the world {world!r}", world=world)
    for world in WORLDS
}
"""Runs without a fault, made and judged in the same way: S5 must pass them, and nothing may differ."""
