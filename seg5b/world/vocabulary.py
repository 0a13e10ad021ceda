"""The fixed vocabularies of the world; a code is a position in its tuple."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seg5b.policy.vocabulary import DEMAND_CLASSES

CLASSES: Final = DEMAND_CLASSES
CHANNELS: Final = ("card_present", "card_not_present")
MODES: Final = ("NON_VIRTUAL", "HYBRID", "VIRTUAL_ONLY")
ROLES: Final = ("primary", "secondary", "tail")
HYBRID_COIN: Final = 0.35
"""Share of a HYBRID merchant's arrivals that go virtual under the shipped routing policy."""

TWO_LEVEL: Final = "log_gaussian_two_level_v1"
MOST_SIGMA: Final = 1.0
"""Largest sigma of a specification under `TWO_LEVEL`, before multipliers: above it a country is one factor away from
silence, and nothing that S5 asks of a world's volume can be promised."""
SHARED_LEVELS: Final[Mapping[str, Mapping[str, float]]] = {
    "country": {"variance_share": 0.15, "length_hours": 48.0},
    "zone": {"variance_share": 0.12, "length_hours": 24.0},
}
"""Of what days of 54 shops scatter, once their level and their weekdays are removed, about 0.15 is common to the country and
0.12 to the town."""

ONLINE: Final = ("online_24h", "online_bursty")
"""Classes that sell with the card not present."""


def class_code(name: str) -> int:
    """Code of a demand class."""
    return CLASSES.index(name)


def channel_code(class_name: str) -> int:
    """Channel of a class: online classes sell with the card not present. One channel per class keeps the grouping
    strata as large as possible, and gives one channel per (merchant, tzid)."""
    return 1 if class_name in ONLINE else 0
