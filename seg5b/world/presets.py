"""The presets: specifications in ``config/worlds``, as plans. Targets come from docs/laws#world-targets.

Four sizes follow public figures; the same four ``_classic`` are the worlds of releases before 0.2, named as they were;
``reference_as_found`` has the shape that the reference engine measured of its own run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seg5b.world.plan import BASELINE, STRESS, WorldPlan
from seg5b.world.spec import PRESET_NAMES, plan_of, preset_path, read_spec

__all__ = ["BASELINE", "PRESETS", "STRESS", "WorldPlan", "find_preset"]

PRESETS: Final[Mapping[str, WorldPlan]] = {name: plan_of(read_spec(preset_path(name))) for name in PRESET_NAMES}


def find_preset(name: str) -> WorldPlan:
    """The preset of that name; `WorldError` ``5B.WORLD.PRESET_UNKNOWN`` if there is none."""
    preset_path(name)
    return PRESETS[name]
