"""Where the volume goes: target share of each time zone.

Measured shares of the largest zones (docs/laws#world-zones), a plain falling law for the rest, and a blend with equal
shares in place of the reference's group-mix regulariser.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seg5b.tzdb import open_tzdb
from seg5b.world.geography import Geography, load_geography
from seg5b.world.plan import WorldPlan
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


def plan_geography(plan: WorldPlan) -> Geography:
    """Geography of a plan: its countries, and the zones that it gives shares, or those of its zone groups."""
    database, shares, groups = open_tzdb(plan.time_zone_release), plan.zone_shares, plan.zone_groups

    def allowed(tzid: str) -> bool:
        return tzid in shares if shares is not None else groups is None or zone_group(tzid) in groups

    return load_geography(database, plan.countries, plan.reach_size, allowed)


def measured_percent(tzids: Sequence[str]) -> list[float]:
    """Raw shares of the zones of one country, most populous first: measured where they are, else the falling law."""
    return [
        _MEASURED_PERCENT.get(tzid, _CAPITAL_PERCENT * float(share))
        for tzid, share in zip(tzids, falling(len(tzids), _NEXT_ZONE), strict=True)
    ]


def zone_group(tzid: str) -> int:
    """Zone group of docs/laws#group-ids: first byte of SHA-256 of the tagged tzid, mod 16."""
    return hashlib.sha256(b"5B.zone_group|" + tzid.encode()).digest()[0] % 16


def zone_targets(plan: WorldPlan, geography: Geography) -> NDArray[np.float64]:
    """Target share of volume of each zone, float64 [zones], summing to 1; 0 outside the ``active_tzids`` largest."""
    if plan.zone_shares is not None:
        return np.array([plan.zone_shares[tzid] for tzid in geography.tzids])
    raw = np.zeros(len(geography.tzids))
    for zones in geography.own:
        raw[list(zones)] = measured_percent([geography.tzids[zone] for zone in zones])
    order = np.argsort(-raw, kind="stable")[: plan.active_tzids]
    order = order[raw[order] > 0]
    shares = np.zeros(raw.size)
    shares[order] = raw[order] / raw[order].sum() * (1 - plan.zone_blend) + plan.zone_blend / order.size
    return shares
