"""Which rows are derived again: a deterministic sample that every virtual mode and every size of bucket takes part in."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from itertools import accumulate

from seg5b.run_tables.subject import Subject

_PRIME = 1_000_003
_LARGEST = 8


def sampled_arrivals(subject: Subject, most: int) -> list[tuple[int, int]]:
    """About ``most`` (merchant_id, arrival_seq), as many of each virtual mode that occurs: one at a hashed place of each
    equal stretch of a mode's arrivals."""
    counted = (
        "count_series" if "count_series" in subject.tables else "(SELECT merchant_id, count_N AS arrivals FROM counts)"
    )
    rows = subject.rows(
        f"""SELECT virtual_mode, merchant_id, sum(arrivals)::BIGINT AS n FROM {counted} JOIN modes USING (merchant_id)
            GROUP BY ALL HAVING n > 0 ORDER BY ALL"""
    )
    by_mode: dict[str, list[tuple[int, int]]] = {}
    for mode, merchant, arrivals in rows:
        by_mode.setdefault(mode, []).append((merchant, arrivals))
    share = max(most // max(len(by_mode), 1), 1)
    chosen: list[tuple[int, int]] = []
    for mode, merchants in by_mode.items():
        ends = list(accumulate(arrivals for _, arrivals in merchants))
        for place in spread(ends[-1], share, f"{subject.scenario_id}|{mode}"):
            owner = bisect_right(ends, place)
            chosen.append((merchants[owner][0], place - (ends[owner] - merchants[owner][1]) + 1))
    return chosen


def spread(total: int, wanted: int, label: str) -> list[int]:
    """``wanted`` distinct places in [0, total), one in each equal stretch; every place where there are not more."""
    if total <= wanted:
        return list(range(total))
    places = []
    for number in range(wanted):
        first, stop = number * total // wanted, (number + 1) * total // wanted
        digest = hashlib.sha256(f"5B.explain|{label}|{number}".encode()).digest()
        places.append(first + int.from_bytes(digest[:8], "big") % (stop - first))
    return places


def sampled_counts(subject: Subject, most: int) -> list[int]:
    """Positions of about ``most`` count rows above the zero rule, spread by a linear hash, and of the largest means."""
    (active,) = subject.row("SELECT count_if(mu > $zero_eps) FROM counts")
    threshold = min(_PRIME, -(-most * _PRIME // max(active, 1)))
    rows = subject.rows(
        f"""SELECT position FROM counts
            WHERE mu > $zero_eps AND (CAST(position AS BIGINT) % {_PRIME} * 611953 + 65537) % {_PRIME} < {threshold}
            UNION (SELECT position FROM counts WHERE mu > $zero_eps ORDER BY mu DESC, position LIMIT {_LARGEST})
            ORDER BY position"""
    )
    return [row[0] for row in rows]


def sampled_groups(subject: Subject, most: int) -> list[str]:
    """At most ``most`` groups, spread over their order by id."""
    groups = [row[0] for row in subject.rows("SELECT DISTINCT group_id FROM grouping ORDER BY 1")]
    return [groups[place] for place in spread(len(groups), most, subject.scenario_id)]
