"""Where the volume goes: target share of each time zone.

Measured shares of the largest zones (docs/laws#world-zones), a plain falling law for the rest, and a blend with equal
shares in place of the reference's group-mix regulariser.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from seg5b.world.geography import Geography, load_geography
from seg5b.world.presets import Preset
from seg5b.world.shares import falling

_MEASURED_PERCENT = {
    "Europe/London": 13.96,
    "Europe/Berlin": 13.5,
    "Europe/Paris": 13.4,
    "Europe/Copenhagen": 6.2,
    "Europe/Zurich": 5.9,
    "Europe/Rome": 5.6,
    "Arctic/Longyearbyen": 5.6,
    "Australia/Brisbane": 4.4,
    "America/Kralendijk": 3.7,
    "Europe/Madrid": 2.8,
    "America/Phoenix": 2.8,
    "Europe/Lisbon": 1.7,
}
_CAPITAL_PERCENT = 0.55
"""Share of the most populous zone of a country that is not in the list above."""
_NEXT_ZONE = 0.6
"""Each further zone of a country has this share of the one before."""


def preset_geography(preset: Preset) -> Geography:
    """Geography of a preset: its countries, and the zones of its zone groups."""
    groups = preset.zone_groups
    return load_geography(
        preset.countries, preset.reach_size, lambda tzid: groups is None or zone_group(tzid) in groups
    )


def zone_group(tzid: str) -> int:
    """Zone group of docs/laws#group-ids: first byte of SHA-256 of the tagged tzid, mod 16."""
    return hashlib.sha256(b"5B.zone_group|" + tzid.encode()).digest()[0] % 16


def zone_targets(preset: Preset, geography: Geography) -> NDArray[np.float64]:
    """Target share of volume of each zone, float64 [zones], summing to 1; 0 outside the ``active_tzids`` largest."""
    raw = np.zeros(len(geography.tzids))
    for zones in geography.own:
        for zone, share in zip(zones, falling(len(zones), _NEXT_ZONE), strict=True):
            raw[zone] = _MEASURED_PERCENT.get(geography.tzids[zone], _CAPITAL_PERCENT * share)
    order = np.argsort(-raw, kind="stable")[: preset.active_tzids]
    order = order[raw[order] > 0]
    shares = np.zeros(raw.size)
    shares[order] = raw[order] / raw[order].sum() * (1 - preset.zone_blend) + preset.zone_blend / order.size
    return shares
