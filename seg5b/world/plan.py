"""What the generator works from: one frozen record of counts, shares and laws, resolved from a world specification.

The defaults of the later fields are the law `CALIBRATED`, by which the presets are made; `seg5b.world.spec` fills them
from a user's specification under `DERIVED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from seg5b.tzdb import DEFAULT

BASELINE = "baseline_v1"
STRESS = "stress_peak_online_v1"
CALIBRATED: Final = "calibrated_v1"
DERIVED: Final = "derived_v1"
CALIBRATED_CURVE: Final = "calibrated_v1"
PEAKS: Final = "peaks_v1"

Shares = Mapping[str, float]
HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel: its ``share`` of what the classes that sell through it take (none named: all classes)."""

    name: str
    share: float
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlay:
    """A stated overlay of a scenario (docs/laws#world-stated-overlays).

    ``spans``: (first, end) moments, naive, of the clock; ``local`` whether that is each place's own clock or UTC.
    Ramps in hours; empty scopes hold everything.
    """

    name: str
    kind: str
    spans: tuple[tuple[datetime, datetime], ...]
    factor: float
    ramp_in_hours: int | None
    ramp_out_hours: int
    local: bool
    countries: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScenarioPlan:
    """One scenario: ``is_baseline`` or stress, whether its calendar is drawn, and its stated overlays."""

    scenario_id: str
    is_baseline: bool
    drawn: bool
    overlays: tuple[Overlay, ...] = ()


@dataclass(frozen=True, slots=True)
class City:
    """A place, in degrees, around which sites of a zone, or edges, lie."""

    zone: str
    latitude: float
    longitude: float
    weight: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class OpenHours:
    """Days (ISO, 1 Monday) and minutes [``opens``, ``closes``) of the local day in which a class trades."""

    days: tuple[int, ...]
    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class OwnMerchants:
    """A user's merchants in ascending order of id; a field other than ``ids`` may be empty, and is then derived."""

    ids: tuple[int, ...]
    weekly: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnSites:
    """A user's sites, sorted by position of the merchant in `OwnMerchants`, country and zone: where they stand, in degrees,
    and their weight among the sites of the merchant."""

    merchant: tuple[int, ...]
    country: tuple[str, ...]
    zone: tuple[str, ...]
    latitude: tuple[float, ...]
    longitude: tuple[float, ...]
    weight: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class OwnSurface:
    """Arrivals that a user's table expects before overlays, as *patterns* over the horizon: one for each (merchant, zone,
    channel) that it tells apart, sorted by these.

    ``merchant`` int64 position in `OwnMerchants`; ``zone``, ``channel`` names, or empty where the table does not tell them
    apart; pattern p has the cells ``first[p]`` to ``first[p + 1]``: ``bucket`` int32, ascending, ``expected`` float64.
    """

    merchant: NDArray[np.int64]
    zone: tuple[str, ...]
    channel: tuple[str, ...]
    first: NDArray[np.int64]
    bucket: NDArray[np.int32]
    expected: NDArray[np.float64]

    def totals(self) -> NDArray[np.float64]:
        """Arrivals of each pattern in the whole horizon."""
        return np.asarray(np.add.reduceat(self.expected, self.first[:-1]))


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """One world's size and calibration.

    Counts: ``merchants``; ``country_rows`` (merchant, country, tzid) of which ``primary_rows + secondary_rows +
    tail_rows`` have intensity; ``component_keys[c - 1]`` (merchant, tzid) keys reached through c countries;
    ``pairs`` (merchant, country); ``roaming_merchants`` with several countries; ``active_tzids``.
    Volume: ``weekly_total`` expected arrivals per normal week; ``volume_exponent`` tempers the inequality of merchants
    (1 = as measured). ``zone_blend`` mixes the measured zone shares with equal ones. ``zone_groups`` keeps only the
    zones of these hash groups (None = all), so that the strata of a small world have enough members.
    ``class_volume``: share of volume by class; ``class_merchants``: share of merchants by class for equal parts of the
    merchants by size, smallest first; ``mode_volume``: share of all volume in HYBRID and VIRTUAL_ONLY merchants, which
    are of ``virtual_classes``.

    Beyond the presets: ``extra_hours`` of the horizon after whole days; ``zone_shares`` instead of the measured ones;
    ``channels`` (none: one per class); ``shapes_law`` of the weekly shapes; ``pareto_alpha`` (0: the published curve);
    ``least_sites`` and ``weekly_per_site``, the law of sites; ``peak_limit``, the most arrivals that a merchant may
    expect in its busiest hour; ``edge_limits``, fewest and most edges; ``edge_shares``, chance of each zone to hold one
    (None: the content network's); ``settlement_zones``, of virtual merchants (none: their own; None: the hubs);
    ``time_zone_release``, of `seg5b.tzdb`; ``document``, the resolved specification. ``site_sigma`` of the logarithm of
    payments over a merchant's sites (0: the law by size bands); ``largest_city_share`` that a merchant may have;
    ``site_ceilings``, whether sites are held below their class's; ``edge_cities``, cities that edges lie in, with
    weights (none: zones by ``edge_shares``), and ``edge_home_share``, part of a virtual merchant's customers that is of the
    countries in which it trades; ``remote_by_edges``, whether all merchants of the online classes have edges only.
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
    law: str = CALIBRATED
    extra_hours: int = 0
    bucket_seconds: int = HOUR_S
    scenario_plans: tuple[ScenarioPlan, ...] = ()
    zone_shares: Shares | None = None
    cities: tuple[City, ...] = ()
    channels: tuple[Channel, ...] = ()
    open_hours: Mapping[str, OpenHours] = field(default_factory=dict)
    shapes_law: str = PEAKS
    pareto_alpha: float = 0.0
    least_sites: float = 4.7
    weekly_per_site: float = 484.6
    spread_deg: float = 0.35
    peak_limit: float = 25_000.0
    virtual_classes: tuple[str, ...] = ("online_24h",)
    edge_limits: tuple[int, int] = (6, 58)
    edge_shares: Shares | None = None
    edge_cities: tuple[City, ...] = ()
    edge_home_share: float = 0.0
    remote_by_edges: bool = False
    site_sigma: float = 0.0
    largest_city_share: float = 1.0
    site_ceilings: bool = False
    settlement_zones: tuple[str, ...] | None = None
    time_zone_release: str = DEFAULT
    own: OwnMerchants | None = None
    own_sites: OwnSites | None = None
    own_surface: OwnSurface | None = field(default=None, compare=False)
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def active_rows(self) -> int:
        """Rows with intensity."""
        return self.primary_rows + self.secondary_rows + self.tail_rows

    @property
    def hours(self) -> int:
        """Hours of the horizon."""
        return self.days * 24 + self.extra_hours

    @property
    def buckets_per_hour(self) -> int:
        """1, 2 or 4."""
        return HOUR_S // self.bucket_seconds

    @property
    def buckets(self) -> int:
        """Buckets of the horizon."""
        return self.hours * self.buckets_per_hour

    @property
    def end_utc(self) -> datetime:
        """End of the horizon, exclusive."""
        return self.start_utc + timedelta(hours=self.hours)

    @property
    def utc_days(self) -> tuple[date, ...]:
        """The days, in UTC, that the horizon touches."""
        first = self.start_utc.astimezone(UTC).date()
        last = (self.end_utc.astimezone(UTC) - timedelta(microseconds=1)).date()
        return tuple(first + timedelta(days=day) for day in range((last - first).days + 1))

    def scenario(self, scenario_id: str) -> ScenarioPlan:
        """What one of ``scenarios`` is; where nothing is stated, a drawn calendar, and stress but for `BASELINE`."""
        stated = next((each for each in self.scenario_plans if each.scenario_id == scenario_id), None)
        return stated or ScenarioPlan(scenario_id, scenario_id == BASELINE, drawn=True)


PRESET_FIELDS: Final = tuple(WorldPlan.__dataclass_fields__)[
    : tuple(WorldPlan.__dataclass_fields__).index("mixed_class_series") + 1
]
"""What a preset states, by which its world is identified."""
