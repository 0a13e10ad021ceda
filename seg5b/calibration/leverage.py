"""Which cohort of merchants, if it turned virtual or physical, would bring the virtual share T7 into its band
(docs/laws#t7-leverage)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seg5b.realism import laws
from seg5b.realism.decide import t7_distance
from seg5b.run_tables.subject import Subject
from seg5b.world.vocabulary import CHANNELS

TO_VIRTUAL, TO_PHYSICAL = "to_virtual", "to_physical"
EVERY_COUNTRY = "*"
REMOTE = CHANNELS[1]
PREVIEW = 20


@dataclass(frozen=True, slots=True)
class Cohort:
    """Arrivals of merchants of one class, channel, virtual mode and home country (``*``: all of them together)."""

    demand_class: str
    channel_group: str
    virtual_mode: str
    country: str
    merchants: int
    physical: int
    virtual: int

    @property
    def name(self) -> str:
        """Its four parts in one word."""
        return "/".join((self.demand_class, self.channel_group, self.virtual_mode, self.country))


@dataclass(frozen=True, slots=True)
class Flip:
    """A cohort whose arrivals of one route take the other: what T7 would be, all else being equal. ``uplift_pp``: change of
    T7 in points; ``distance_after``: how far T7 then lies outside band B."""

    cohort: Cohort
    direction: str
    arrivals: int
    uplift_pp: float
    t7_after: float
    b_after: bool
    bplus_after: bool
    distance_after: float

    def as_json(self) -> dict[str, Any]:
        """Its row, the cohort's fields first."""
        own = {name: value for name, value in asdict(self).items() if name != "cohort"}
        return {**asdict(self.cohort), **own}


COLUMNS = (
    *("rank", "demand_class", "channel_group", "virtual_mode", "country", "merchants", "physical", "virtual"),
    *("direction", "arrivals", "uplift_pp", "t7_after", "b_after", "bplus_after", "distance_after"),
)


def cohorts_of(run: Subject) -> list[Cohort]:
    """Cohorts from the table ``cohorts`` of all scenarios. A merchant's home is the country whose series have most of its
    arrivals; each cohort by country is followed by the sum over countries."""
    rows = run.rows(
        f"""WITH by_country AS (SELECT merchant_id, country, sum(arrivals) AS n FROM cohorts GROUP BY ALL),
                 home AS (SELECT merchant_id, coalesce(arg_max(country, (n, country)), '-') AS home
                          FROM by_country GROUP BY merchant_id)
            SELECT demand_class, channel_group, coalesce(virtual_mode, 'NON_VIRTUAL') AS mode,
                   CASE WHEN grouping(home) = 1 THEN '{EVERY_COUNTRY}' ELSE home END AS country,
                   count(DISTINCT merchant_id)::BIGINT, coalesce(sum(arrivals) FILTER (NOT is_virtual), 0)::BIGINT,
                   coalesce(sum(arrivals) FILTER (is_virtual), 0)::BIGINT
            FROM cohorts JOIN home USING (merchant_id) LEFT JOIN modes USING (merchant_id)
            GROUP BY GROUPING SETS ((1, 2, 3, home), (1, 2, 3)) ORDER BY 1, 2, 3, 4"""
    )
    return [Cohort(*row) for row in rows]


def flips(cohorts: Sequence[Cohort], virtual: int, total: int) -> list[Flip]:
    """Every flip that moves T7 the way it has to go, or either way where T7 lies in both bands, ranked: those that bring it
    within B first, then those that leave it nearest; among equals those that pay remotely anyway, where they are to turn
    virtual, then the smaller."""
    wanted = directions(virtual / total)
    found = []
    for cohort in cohorts:
        for direction in wanted:
            moved = cohort.physical if direction == TO_VIRTUAL else cohort.virtual
            if moved:
                found.append(_flip(cohort, direction, moved, virtual, total))
    return sorted(found, key=_rank)


def _rank(flip: Flip) -> tuple[bool, float, bool, int, str]:
    at_shops = flip.direction == TO_VIRTUAL and flip.cohort.channel_group != REMOTE
    return not flip.b_after, flip.distance_after, at_shops, flip.arrivals, flip.cohort.name


def directions(t7: float) -> tuple[str, ...]:
    """Which way T7 has to go: into B, then into B+; either way where it lies in both."""
    for low, high in laws.VIRTUAL_BOUNDS:
        if t7 < low:
            return (TO_VIRTUAL,)
        if t7 > high:
            return (TO_PHYSICAL,)
    return (TO_VIRTUAL, TO_PHYSICAL)


def _flip(cohort: Cohort, direction: str, moved: int, virtual: int, total: int) -> Flip:
    after = (virtual + (moved if direction == TO_VIRTUAL else -moved)) / total
    b, bplus = (low <= after <= high for low, high in laws.VIRTUAL_BOUNDS)
    uplift = 100 * (after - virtual / total)
    return Flip(cohort, direction, moved, uplift, after, b, bplus, t7_distance(after))


def narrow_set(ranked: Sequence[Flip], virtual: int, total: int) -> tuple[list[Flip], float]:
    """Flips of cohorts by country that together bring T7 into band B, the largest that do not lead beyond it first, and the T7
    that they come to; none where it lies there already."""
    (low, high), _ = laws.VIRTUAL_BOUNDS
    chosen: list[Flip] = []
    now = virtual
    for flip in sorted(ranked, key=lambda each: (-each.arrivals, each.cohort.name)):
        if low <= now / total <= high:
            break
        sign = 1 if flip.direction == TO_VIRTUAL else -1
        after = (now + sign * flip.arrivals) / total
        if flip.cohort.country != EVERY_COUNTRY and (after <= high if sign > 0 else after >= low):
            chosen.append(flip)
            now += sign * flip.arrivals
    return chosen, now / total


def leverage(run: Subject, virtual: int, total: int) -> dict[str, Any]:
    """Fields of ``t7_leverage.json``; ``flips`` holds all rows, for the CSV."""
    ranked = flips(cohorts_of(run), virtual, total)
    chosen, reached = narrow_set(ranked, virtual, total)
    return {
        "t7": virtual / total,
        "bands": {"b": list(laws.VIRTUAL_BOUNDS[0]), "bplus": list(laws.VIRTUAL_BOUNDS[1])},
        "directions": list(directions(virtual / total)),
        "ranking": "within B after it first, then the distance that is left, remote channels before others, fewer arrivals",
        "flips": [{"rank": rank, **flip.as_json()} for rank, flip in enumerate(ranked, start=1)],
        "narrow_set": {"cohorts": [flip.cohort.name for flip in chosen], "t7_after": reached},
    }


def told(flip: Mapping[str, Any]) -> str:
    """One flip in one line."""
    words = "/".join(flip[name] for name in ("demand_class", "channel_group", "virtual_mode", "country"))
    return f"{words} {flip['direction'].replace('_', ' ')}: {flip['uplift_pp']:+.2f} points, T7 {flip['t7_after']:.2%}"
