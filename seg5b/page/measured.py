"""Everything that the page says about one scenario."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seg5b.page.facts.asked import Event
from seg5b.page.facts.clocks import ClockFacts, measure_clocks
from seg5b.page.facts.draws import DrawFacts, measure_draws
from seg5b.page.facts.gaps import SizeGaps, measure_gaps
from seg5b.page.facts.hours import Hours, measure_hours
from seg5b.page.facts.keys import Keys, measure_keys
from seg5b.page.facts.mix import Mix, measure_mix
from seg5b.page.facts.places import Places, measure_places
from seg5b.page.facts.scatter_of_days import SizeScatter, measure_scatter_of_days
from seg5b.page.facts.scene import DAY_US, Scene


@dataclass(frozen=True, slots=True)
class Measured:
    """One scenario, measured. ``start_us`` and ``end_us`` bound its horizon (UTC microseconds), ``bucket_us`` is a
    bucket's length, ``days`` how many UTC days it touches; one of ``thinning`` keys is compared; ``events`` are the days
    on which something was asked for."""

    scenario_id: str
    start_us: int
    end_us: int
    bucket_us: int
    buckets: int
    days: int
    thinning: int
    arrivals: int
    series: int
    merchants: int
    keys: Keys
    clocks: ClockFacts
    hours: Hours
    mix: Mix
    gaps: tuple[SizeGaps, ...]
    places: Places
    draws: DrawFacts
    scatter: tuple[SizeScatter, ...]
    events: Sequence[Event]

    @property
    def virtual(self) -> int:
        """Virtual arrivals."""
        return sum(virtual for *_, virtual in self.places.zones)

    @property
    def first_day(self) -> int:
        """UTC day of the first bucket, days since 1970-01-01."""
        return self.start_us // DAY_US

    @property
    def compared(self) -> str:
        """Which keys are compared, in words."""
        return "every key" if self.thinning == 1 else f"one key in {self.thinning}"


Views = Sequence[Measured]


def names(views: Views) -> list[str]:
    """Ids of the scenarios, in the order that they are shown in."""
    return [view.scenario_id for view in views]


def measure(scene: Scene, events: Sequence[Event]) -> Measured:
    """All facts of a scenario. Raises `InputError` ``5B.QUERY.FAILED``."""
    return Measured(
        scenario_id=scene.scenario_id,
        start_us=scene.start_us,
        end_us=scene.end_us,
        bucket_us=scene.bucket_us,
        buckets=scene.buckets,
        days=scene.days,
        thinning=scene.thinning,
        arrivals=scene.arrivals,
        series=scene.number("SELECT count(*) FROM series"),
        merchants=scene.number("SELECT count(DISTINCT merchant_id) FROM series"),
        keys=measure_keys(scene),
        clocks=measure_clocks(scene),
        hours=measure_hours(scene),
        mix=measure_mix(scene),
        gaps=measure_gaps(scene),
        places=measure_places(scene),
        draws=measure_draws(scene),
        scatter=measure_scatter_of_days(scene),
        events=events,
    )
