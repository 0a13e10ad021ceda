"""T20: are remote payments remote, and how many are there? (docs/laws#T20)

An arrival of channel ``card_not_present`` reaches an edge, one of ``card_present`` a site. Counted by route, and by local hour
of the day (a site's clock, or an edge's) to show when those happen that are on the wrong side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seg5b.realism.profile import LOCAL_HOURS
from seg5b.realism.public_bands import (
    CARD_NOT_PRESENT,
    CARD_NOT_PRESENT_AT_SITE,
    CARD_NOT_PRESENT_SHARE,
    CARD_PRESENT,
    CARD_PRESENT_VIRTUAL,
    LEAST_CHANNEL_ARRIVALS,
)
from seg5b.realism.readings import LEAST_UNITS, Reading, finding, ratio_of_sums, shortage
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import Finding

Counted = tuple[int, str, bool, int]
"""Merchant, channel, whether virtual, arrivals."""


def channel_readings(counted: Sequence[Counted]) -> list[Reading]:
    """The three readings of T20 from the arrivals of each merchant by channel and route; none where no channel has either
    name."""
    known = {CARD_PRESENT, CARD_NOT_PRESENT}
    if not known & {channel for _, channel, _, _ in counted}:
        return []
    merchants, place = np.unique(np.array([row[0] for row in counted], np.uint64), return_inverse=True)
    arrivals = np.array([row[3] for row in counted], np.float64)
    remote, present = (np.array([row[1] == name for row in counted]) for name in (CARD_NOT_PRESENT, CARD_PRESENT))
    virtual = np.array([row[2] for row in counted], bool)
    of_merchant, remote_of = (np.bincount(place, part) for part in (arrivals, arrivals * remote))
    all_remote, whole = float(remote_of.sum()), float(arrivals.sum())
    at_site, in_edge = float(arrivals[remote & ~virtual].sum()), float(arrivals[present & virtual].sum())
    share, error = ratio_of_sums(remote_of, of_merchant)
    band = (CARD_NOT_PRESENT_SHARE[0].ends, CARD_NOT_PRESENT_SHARE[1].ends)
    meant = CARD_PRESENT_VIRTUAL.ends
    sites = (CARD_NOT_PRESENT_AT_SITE[0].ends, CARD_NOT_PRESENT_AT_SITE[1].ends)
    few = (
        ("arrivals", whole, LEAST_CHANNEL_ARRIVALS),
        ("merchants", len(merchants), LEAST_UNITS),
        (f"{CARD_NOT_PRESENT} arrival", all_remote, 1),  # shops alone are a world of their own
    )
    few_remote = shortage((f"{CARD_NOT_PRESENT} arrivals", all_remote, LEAST_CHANNEL_ARRIVALS))
    sizes = [f"{number:,.0f} arrivals" for number in (all_remote, whole)]
    in_sites = at_site / max(all_remote, 1.0)
    return [
        Reading(f"{CARD_NOT_PRESENT} at a site", in_sites, 0.0, sites, sizes[0], few_remote),
        Reading(f"{CARD_PRESENT} at an edge", in_edge, 0.0, (meant, meant), sizes[1]),
        Reading(f"share of {CARD_NOT_PRESENT}", share, error, band, sizes[1], shortage(*few)),
    ]


def channels(subject: Subject) -> Finding:
    """T20 of a scenario: readings, and arrivals by channel, route and local hour of the day as fact ``by_hour``."""
    rows = subject.rows(
        """SELECT merchant_id, channel_group, coalesce(is_virtual, FALSE), sum(arrivals)::BIGINT FROM cells
           WHERE merchant_id IS NOT NULL AND channel_group IS NOT NULL GROUP BY ALL ORDER BY ALL"""
    )
    by_hour: dict[str, list[int]] = {}
    for channel, virtual, hour, arrivals in subject.rows(
        f"""SELECT channel_group, coalesce(is_virtual, FALSE), hour, sum(arrivals)::BIGINT FROM ({LOCAL_HOURS})
            WHERE hour IS NOT NULL AND channel_group IS NOT NULL GROUP BY ALL ORDER BY ALL"""
    ):
        by_hour.setdefault(f"{channel}/{'virtual' if virtual else 'physical'}", [0] * 24)[hour] = arrivals
    return finding(channel_readings(rows), sum(row[3] for row in rows), {"by_hour": by_hour})
