"""What the lanes of run records are about: of which class each is, which code it times, and what could be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CLASSES: Final = ("input_load", "compute", "validation", "write")
_CLASS_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(("upstream", "gate", "recognise", "surface_read", "read", "inputs"), "input_load"),
    **dict.fromkeys(("group", "field", "intensities", "count", "realise", "fetch"), "compute"),
    **dict.fromkeys(("totals", "rows", "measures", "run", "rederived"), "validation"),
    **dict.fromkeys(("seal", "encode", "hash", "publish", "evidence"), "write"),
}
_CODE: Final[Mapping[str, tuple[str, ...]]] = {
    "upstream": ("seg5b/gate/upstream.py", "seg5b/gate/bundles.py"),
    "seal": ("seg5b/gate/inputs.py", "seg5b/gate/content.py"),
    "group": ("seg5b/states/s1_grid.py",),
    "gate": ("seg5b/gate/opening.py", "seg5b/gate/access.py"),
    "recognise": ("seg5b/finished.py",),
    "surface_read": ("seg5b/inputs/surface_blocks.py", "seg5b/inputs/surface.py"),
    "read": ("seg5b/states/s3_counts/counting.py",),
    "inputs": ("seg5b/run_tables/whole_run.py",),
    "field": ("seg5b/states/s2_latent/field.py", "kernels/seg5b_kernels/latent.py"),
    "intensities": ("seg5b/states/s2_latent/intensities.py", "kernels/seg5b_kernels/surface.py"),
    "count": ("seg5b/states/s3_counts/counting.py", "kernels/seg5b_kernels/counts.py"),
    "realise": ("seg5b/expansion/realise.py", "kernels/seg5b_kernels/arrivals.py"),
    "fetch": ("seg5b/expansion/realise.py",),
    "totals": ("seg5b/part_scan",),
    "rows": ("seg5b/validation/runner.py", "seg5b/validation/checks"),
    "measures": ("seg5b/run_tables/measures.py",),
    "run": ("seg5b/validation/runner.py", "seg5b/validation/checks"),
    "rederived": ("seg5b/validation/rederived",),
    "encode": ("seg5b/tables/writer.py",),
    "hash": ("seg5b/hashing.py", "seg5b/parts"),
    "publish": ("seg5b/publish.py",),
    "evidence": ("seg5b/validation/bundle/members.py",),
}
_ACTION: Final[Mapping[str, str]] = {
    "input_load": "read less or once: keep the run on a local disk, sort the surface, give --memory",
    "compute": "more threads or a device (--threads, --backend cuda); bench/kernels.py says how far each kernel is from its "
    "limit",
    "validation": "a second S5 takes what it kept of each part; --mode sampled looks at rows of a sample",
    "write": "more threads encode side by side; a faster disk; smaller optional columns",
}


def class_seconds(lanes: Mapping[str, float]) -> dict[str, float]:
    """Seconds by class of lane, in the order of `CLASSES`; of a lane that is not known, under ``other``."""
    found = dict.fromkeys(CLASSES, 0.0)
    for lane, seconds in lanes.items():
        name = _CLASS_OF.get(lane, "other")
        found[name] = found.get(name, 0.0) + seconds
    return found


def longest(lanes: Mapping[str, float]) -> str | None:
    """The lane that took longest; None where none was measured."""
    return max(lanes, key=lambda name: lanes[name], default=None)


def code_of(lane: str) -> tuple[str, ...]:
    """Files whose work a lane times, relative to a checkout."""
    return _CODE.get(lane, ())


def action_for(lane: str) -> str:
    """What could be done where this lane takes longest."""
    return _ACTION.get(_CLASS_OF.get(lane, ""), "")
