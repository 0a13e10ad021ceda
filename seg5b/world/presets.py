"""The four presets. Targets come from docs/laws#world-targets; deviations are explained here.

The reference gates disagree with the calibration on two numbers, and the gates take precedence: the ten busiest zones
hold about 0.60 of the arrivals (calibration 0.75, gate T6 asks for at most 0.62), and about 0.06 of the arrivals are
virtual (calibration 0.0225, gate T7 asks for 0.05 to 0.12), half of them through HYBRID merchants.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from seg5b.errors import WorldError

BASELINE = "baseline_v1"
STRESS = "stress_peak_online_v1"

Shares = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Preset:
    """One world's size and calibration.

    Counts: ``merchants``; ``country_rows`` (merchant, country, tzid) of which ``primary_rows + secondary_rows +
    tail_rows`` have intensity; ``component_keys[c - 1]`` (merchant, tzid) keys reached through c countries;
    ``pairs`` (merchant, country); ``roaming_merchants`` with several countries; ``active_tzids``.
    Volume: ``weekly_total`` expected arrivals per normal week; ``volume_exponent`` tempers the inequality of merchants
    (1 = as measured). ``zone_blend`` mixes the measured zone shares with equal ones. ``zone_groups`` keeps only the
    zones of these hash groups (None = all), so that the strata of a small world have enough members.
    ``class_volume``: share of volume by class; ``class_merchants``: share of merchants by class for each size quartile,
    smallest first; ``mode_volume``: share of all volume in HYBRID and VIRTUAL_ONLY merchants, all of class online_24h.
    """

    name: str
    start_utc: datetime
    days: int
    scenarios: tuple[str, ...]
    countries: tuple[str, ...]
    zone_groups: tuple[int, ...] | None
    reach_size: int
    merchants: int
    roaming_merchants: int
    pairs: int
    primary_rows: int
    secondary_rows: int
    tail_rows: int
    country_rows: int
    component_keys: tuple[int, ...]
    active_tzids: int
    weekly_total: float
    volume_exponent: float
    zone_blend: float
    class_volume: Shares
    class_merchants: tuple[Shares, ...]
    mode_volume: Shares
    least_events: int
    mixed_class_series: bool = False

    @property
    def active_rows(self) -> int:
        """Rows with intensity."""
        return self.primary_rows + self.secondary_rows + self.tail_rows

    @property
    def buckets(self) -> int:
        """Hourly buckets of the horizon."""
        return self.days * 24

    @property
    def end_utc(self) -> datetime:
        """End of the horizon, exclusive."""
        return self.start_utc + timedelta(days=self.days)


_ISO2 = re.compile("[A-Z]{2}")
_COUNTRIES = tuple(
    _ISO2.findall(
        "GB DE FR DK CH IT NO SJ NL BE ES PT AT SE FI PL IE CZ GR HU RO BG HR LU MC TR IL AE SA ZA MA EG NG KE US CA "
        "MX BR AR CL CO BQ BM AU NZ JP CN HK SG IN ID KR RU"
    )
)

_REFERENCE_CLASS_VOLUME: Shares = {
    "consumer_daytime": 0.621,
    "online_24h": 0.150,
    "fuel_convenience": 0.106,
    "evening_weekend": 0.068,
    "online_bursty": 0.020,
    "office_hours": 0.017,
    "bills_utilities": 0.010,
    "travel_hospitality": 0.008,
}

_REFERENCE_CLASS_MERCHANTS: tuple[Shares, ...] = tuple(
    dict(zip(_REFERENCE_CLASS_VOLUME, shares, strict=True))
    for shares in (
        (0.622, 0.086, 0.024, 0.020, 0.020, 0.122, 0.086, 0.020),
        (0.647, 0.127, 0.059, 0.020, 0.054, 0.035, 0.028, 0.030),
        (0.629, 0.122, 0.122, 0.040, 0.022, 0.020, 0.015, 0.030),
        (0.495, 0.252, 0.154, 0.052, 0.022, 0.005, 0.005, 0.015),
    )
)

_DEMO_CLASS_VOLUME: Shares = {
    "consumer_daytime": 0.46,
    "online_24h": 0.20,
    "online_bursty": 0.26,
    "evening_weekend": 0.08,
}
_DEMO_CLASS_MERCHANTS: tuple[Shares, ...] = ({**_DEMO_CLASS_VOLUME},) * 4

_MID_CLASS_VOLUME: Shares = {
    "consumer_daytime": 0.58,
    "online_24h": 0.17,
    "fuel_convenience": 0.09,
    "evening_weekend": 0.09,
    "online_bursty": 0.07,
}
_MID_CLASS_MERCHANTS: tuple[Shares, ...] = ({**_MID_CLASS_VOLUME},) * 4

_JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
_MARCH = datetime(2026, 3, 2, tzinfo=UTC)

_REFERENCE = Preset(
    name="reference",
    start_utc=_JANUARY,
    days=90,
    scenarios=(BASELINE,),
    countries=_COUNTRIES,
    zone_groups=None,
    reach_size=22,
    merchants=886,
    roaming_merchants=331,
    pairs=1587,
    primary_rows=1527,
    secondary_rows=366,
    tail_rows=265,
    country_rows=16_528,
    component_keys=(11_883, 1_468, 358, 91, 23, 26),
    active_tzids=139,
    weekly_total=9_587_050.0,
    volume_exponent=1.0,
    zone_blend=0.06,
    class_volume=_REFERENCE_CLASS_VOLUME,
    class_merchants=_REFERENCE_CLASS_MERCHANTS,
    mode_volume={"HYBRID": 0.085, "VIRTUAL_ONLY": 0.030},
    least_events=2000,
)

_LARGE = Preset(
    name="large",
    start_utc=_JANUARY,
    days=90,
    scenarios=(BASELINE,),
    countries=_COUNTRIES,
    zone_groups=None,
    reach_size=22,
    merchants=8_860,
    roaming_merchants=3_310,
    pairs=15_870,
    primary_rows=15_270,
    secondary_rows=3_660,
    tail_rows=2_650,
    country_rows=165_280,
    component_keys=(118_830, 14_680, 3_580, 910, 230, 260),
    active_tzids=139,
    weekly_total=95_870_500.0,
    volume_exponent=1.0,
    zone_blend=0.06,
    class_volume=_REFERENCE_CLASS_VOLUME,
    class_merchants=_REFERENCE_CLASS_MERCHANTS,
    mode_volume={"HYBRID": 0.085, "VIRTUAL_ONLY": 0.030},
    least_events=2000,
)

_DEMO = Preset(
    name="demo",
    start_utc=_MARCH,
    days=28,
    scenarios=(BASELINE, STRESS),
    countries=tuple(_ISO2.findall("GB FR DE IT CH BE CZ GR HR IE AT ES PT SE MA SJ US CA AU JP KR HK SA EG")),
    zone_groups=(1, 6, 7, 10, 12, 13, 14),
    reach_size=12,
    merchants=1_000,
    roaming_merchants=150,
    pairs=1_180,
    primary_rows=1_180,
    secondary_rows=300,
    tail_rows=80,
    country_rows=4_200,
    component_keys=(3_800, 170, 20),
    active_tzids=36,
    weekly_total=136_000.0,
    volume_exponent=0.6,
    zone_blend=0.5,
    class_volume=_DEMO_CLASS_VOLUME,
    class_merchants=_DEMO_CLASS_MERCHANTS,
    mode_volume={"HYBRID": 0.085, "VIRTUAL_ONLY": 0.030},
    least_events=0,
    mixed_class_series=True,
)

_SMALL = Preset(
    name="small",
    start_utc=_MARCH,
    days=28,
    scenarios=(BASELINE, STRESS),
    countries=_COUNTRIES,
    zone_groups=None,
    reach_size=22,
    merchants=1_500,
    roaming_merchants=500,
    pairs=2_150,
    primary_rows=2_050,
    secondary_rows=350,
    tail_rows=250,
    country_rows=12_000,
    component_keys=(8_632, 1_066, 259, 66, 15, 20),
    active_tzids=100,
    weekly_total=1_360_000.0,
    volume_exponent=0.8,
    zone_blend=0.08,
    class_volume=_MID_CLASS_VOLUME,
    class_merchants=_MID_CLASS_MERCHANTS,
    mode_volume={"HYBRID": 0.085, "VIRTUAL_ONLY": 0.030},
    least_events=0,
)

PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in (_DEMO, _SMALL, _REFERENCE, _LARGE)}


def find_preset(name: str) -> Preset:
    """The preset of that name; `WorldError` ``5B.WORLD.PRESET_UNKNOWN`` if there is none."""
    if name not in PRESETS:
        raise WorldError(
            "5B.WORLD.PRESET_UNKNOWN",
            f"there is no preset {name!r}",
            where="preset",
            remedy=f"choose one of {', '.join(PRESETS)}",
        )
    return PRESETS[name]
