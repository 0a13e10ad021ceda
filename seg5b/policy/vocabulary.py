"""Names that policies give numbers for (docs/laws#vocabulary)."""

from __future__ import annotations

BANDS = ("baseline", "stress")
VIRTUAL_BANDS = ("physical", "virtual")
CHANNEL_GROUPS = ("card_present", "card_not_present", "mixed")

# The demand classes of the 5A catalogue. Policies may name more (the shipped ones add retail_daytime).
DEMAND_CLASSES = (
    "always_on_local",
    "bills_utilities",
    "consumer_daytime",
    "evening_weekend",
    "fuel_convenience",
    "low_volume_tail",
    "office_hours",
    "online_24h",
    "online_bursty",
    "travel_hospitality",
)
