"""The gates: what each is called, how much it weighs, and where its bands lie.

T1-T12 are the reference's, T13-T15 and those by public figures ours (docs/laws#gate-table). Bands are closed; a value that is
missing never passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Weight(Enum):
    """What a failed gate means: ``hard`` stops everything, ``major`` decides the grade, ``context`` is reported
    only."""

    HARD = "hard"
    MAJOR = "major"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class GateLaw:
    """One gate. ``veto``: a failure rejects a candidate whatever else it improves. ``b`` and ``bplus`` state the
    bands in words; ``owner`` is who must repair it."""

    gate_id: str
    title: str
    weight: Weight
    b: str
    bplus: str
    owner: str
    veto: bool = False


MISMATCH_MAX = (0.0050, 0.0010)
ONE_HOUR_MAX = (0.0010, 0.0002)
HOUR_MAE_PP_MAX = (1.5, 0.7)
TOP_ZONES_MAX = (0.72, 0.62)
VIRTUAL_BOUNDS = ((0.03, 0.08), (0.05, 0.12))
WEEKEND_PP_MAX = (0.20, 0.10)
RESIDUAL_BOUNDS = ((1.20, 1.60), (1.25, 1.50))
CV_MAX = (0.25, 0.15)
CLOCK_TOLERANCE_S = 0.5
HORIZON_SHIFT_MAX = 0.001
REQUIRED_SEEDS = (42, 7, 101, 202)

_H, _M, _C = Weight.HARD, Weight.MAJOR, Weight.CONTEXT
_TIME = "S4 + S5, then the zone cache of 2A"
GATES = {
    law.gate_id: law
    for law in (
        GateLaw("T1", "wall clocks that differ from the zone database", _H, "<= 0.50%", "<= 0.10%", _TIME),
        GateLaw("T2", "wall clocks off by exactly one hour", _H, "<= 0.10%", "<= 0.02%", _TIME),
        GateLaw(
            "T3", "hours of the day around offset changes (pp)", _H, "<= 1.5 with power", "<= 0.7 with power", _TIME
        ),
        GateLaw("T4", "every counted arrival exists, key by key", _H, "no mismatch", "same", "S3 + S4", True),
        GateLaw("T5", "a site or an edge, never both or none", _H, "no violation", "same", "S4", True),
        GateLaw("T6", "share of the ten busiest zones", _M, "<= 72%", "<= 62%", "routing policy; shape of 5A and 2B"),
        GateLaw("T7", "share of virtual arrivals", _M, "in [3%, 8%]", "in [5%, 12%]", "routing policy; mix of 5A"),
        GateLaw("T8", "weekend share, written against true (pp)", _C, "<= 0.20", "<= 0.10", "watched"),
        GateLaw("T9", "scatter of standardised counts", _C, "in [1.20, 1.60]", "in [1.25, 1.50]", "watched"),
        GateLaw("T10", "variation across seeds", _H, "<= 0.25", "<= 0.15", "certification"),
        GateLaw("T11", "zone cache complete to the horizon", _H, "complete", "same", "2A"),
        GateLaw("T12", "local clocks without marker, equal to UTC plus offset", _H, "all", "same", "S4 + S5"),
        GateLaw(
            "T13",
            "daily profile against expected intensities",
            _M,
            "every cell <= law + 4 sd + 0.5 pp",
            "every cell <= law + 3 sd + 0.2 pp",
            "routing policy (tz_group_law)",
        ),
        GateLaw("T14", "unique keys, and a sample derived again exactly", _H, "no mismatch", "same", "S2 - S4", True),
        GateLaw(
            "T15",
            "dispersion, memory and offsets follow their laws",
            _M,
            "5 se + 2% (shares 0.5 pp)",
            "4 se + 1% (0.25 pp)",
            "S2, S3, S4",
        ),
        GateLaw(
            "T16",
            "places against public figures and their own weights",
            _C,
            "countries log sd <= 0.5 and rank >= 0.8, largest merchant <= 35%, zones and countries within 1% of their own "
            "weights, by 3 se; none empty, no site above its ceiling",
            "the same without se, own weights 0.5%",
            "countries, merchants and sites of the world; S3 and S4 where it is not what its own weights say",
        ),
        GateLaw(
            "T17",
            "hours and days against public figures",
            _C,
            "every share in its band, by 3 se",
            "in its band",
            "weekly shapes and calendar of the world",
        ),
        GateLaw(
            "T18",
            "scatter of days against public figures",
            _C,
            "every statistic in its band, by 3 se",
            "in its band",
            "latent fields and law of counts",
        ),
        GateLaw(
            "T19",
            "steps of the rate at boundaries of buckets",
            _C,
            "log step <= 0.05, by 3 se",
            "<= 0.05",
            "how S4 places arrivals in a bucket; shape of 5A",
        ),
        GateLaw(
            "T20",
            "channels against public figures",
            _C,
            "remote at a site <= 2%, share in [5%, 40%]",
            "remote at a site <= 0.1%, share in [10%, 40%]",
            "channels and virtual merchants of the world",
        ),
    )
}
PUBLIC = ("T16", "T17", "T18", "T19", "T20")
"""Judged by public figures, whatever the surface of the world asks for; watched (docs/laws#public-gates)."""
ORDER = ("T11", "T12", "T1", "T2", "T3", "T4", "T5", "T14", "T6", "T7", "T8", "T9", "T13", "T15", *PUBLIC, "T10")
"""Order of judgement: what follows T14 counts only if everything before it passes."""
HARD_FIRST = ORDER[:8]
P1_HARD = ("T1", "T2", "T3", "T11", "T12")
VETOES = ("T4", "T5")
FROZEN = ("T1", "T2", "T3", "T4", "T5", "T11", "T12")
PRIMARY = ("T6", "T7")
OWN = ("T13", "T14", "T15")
