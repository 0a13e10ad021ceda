"""T19: does the rate of arrivals jump where one bucket ends and the next begins? (docs/laws#T19)

People do not wait for the full hour: in public data the rate goes on smoothly. A rate that is level within each bucket shows a
step at each boundary. For each class and each boundary by the local clock of the series, arrivals are counted in four slots of
five minutes (a quarter of a bucket where that is less): two before it, two after. The step is what is left when the trend on
either side is carried on to the boundary.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seg5b.realism.public_bands import LEAST_BESIDE_STEPS, STEP
from seg5b.realism.readings import LEAST_UNITS, Reading, excess_rms, finding, shortage
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import Finding

AFTER, LATER, BEFORE, EARLIER = range(4)
"""Slots: from the boundary on and the one behind it, up to the boundary and the one before that."""
SLOT_MIN = 5
LEAST_IN_SLOT = 30
"""Arrivals in each slot of a boundary, for a logarithm to mean something."""
_NEAR, _FAR = 1.5, 0.5
_MINUTE_US = 60_000_000


def log_steps(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log steps of boundaries, their variances, and their weights, float64 [k] each, from arrivals float64 [k, days, 4] by
    slot.

    With a and b the arrivals after and before a boundary on all days, A and B those in the slots further out, the step is
    1.5 ln(a / b) - 0.5 ln(A / B): the jump of a rate whose logarithm is straight on either side. Days are independent, so
    their scatter about the whole gives the variance, whatever the law of counts. The weight is a + b; 0 where a slot has
    fewer than `LEAST_IN_SLOT`.
    """
    total = counts.sum(axis=1)
    known = (total >= LEAST_IN_SLOT).all(axis=1)
    safe = np.where(known[:, None], total, 1.0)
    signs = np.array([_NEAR, -_FAR, -_NEAR, _FAR])
    steps = (np.log(safe) * signs).sum(axis=1)
    influence = ((counts / safe[:, None, :]) * signs).sum(axis=2)
    days = counts.shape[1]
    variances = (influence**2).sum(axis=1) * days / max(days - 1, 1)
    weights = np.where(known, total[:, AFTER] + total[:, BEFORE], 0.0)
    return np.where(known, steps, 0.0), np.where(known, variances, 0.0), weights


def step_reading(name: str, counts: np.ndarray) -> Reading:
    """T19 of some boundaries, arrivals float64 [k, days, 4] by slot."""
    steps, variances, weights = log_steps(counts)
    value, error = excess_rms(steps, variances, weights)
    beside = counts[weights > 0].sum(axis=(0, 1))
    side, days = float(min(beside[AFTER], beside[BEFORE])), int((counts.sum(axis=(0, 2)) > 0).sum())
    wanted = (("arrivals on each side of boundaries", side, LEAST_BESIDE_STEPS), ("days", days, LEAST_UNITS))
    size = f"{side:,.0f} arrivals a side, {int((weights > 0).sum())} boundaries"
    return Reading(name, value, error, (STEP.ends, STEP.ends), size, shortage(*wanted))


def step_readings(by_class: Mapping[str, np.ndarray]) -> list[Reading]:
    """T19 of each class, and of all together, whose boundaries stay apart."""
    found = [step_reading(f"step at boundaries, {name}", counts) for name, counts in sorted(by_class.items())]
    if len(by_class) > 1:
        found.append(step_reading("step at boundaries, all classes", np.concatenate([*by_class.values()])))
    return found


def staircase(subject: Subject) -> Finding:
    """T19 of a scenario, from one look at series, bucket and instant of every arrival."""
    counted = _counted(subject)
    rows = int(sum(counts.sum() for counts in counted.values()))
    return finding(step_readings(counted), rows)


def _counted(subject: Subject) -> dict[str, np.ndarray]:
    """Arrivals float64 [boundaries, days, 4] by class: boundaries by local minute of the day, in the zone of the series, days
    by local date; without both ends of the horizon, which have one side."""
    slot_us = min(SLOT_MIN * _MINUTE_US, int(subject.constants["bucket_us"] or 0) // 4)
    columns = subject.arrays(
        f"""WITH placed AS (
                SELECT merchant_id, zone_representation, channel_group, bucket_index,
                       epoch_us(ts_utc::TIMESTAMP) - $start_us - bucket_index * $bucket_us AS inside
                FROM arrivals),
            beside AS (
                SELECT demand_class, zone_representation,
                       bucket_index + (inside >= {2 * slot_us})::BIGINT AS boundary,
                       CASE WHEN inside < {2 * slot_us} THEN inside // {slot_us}
                            ELSE 2 + ($bucket_us - 1 - inside) // {slot_us} END AS slot,
                       count(*) AS arrivals
                FROM placed JOIN grouping USING (merchant_id, zone_representation, channel_group)
                WHERE inside BETWEEN 0 AND {2 * slot_us - 1}
                      OR inside BETWEEN $bucket_us - {2 * slot_us} AND $bucket_us - 1
                GROUP BY ALL),
            local AS (
                SELECT demand_class, slot, arrivals,
                       ($start_us + boundary * $bucket_us) // {_MINUTE_US} + offset_min AS minute
                FROM beside JOIN cache_steps
                     ON tzid = zone_representation AND $start_us + boundary * $bucket_us >= from_us
                        AND $start_us + boundary * $bucket_us < to_us
                WHERE boundary > 0 AND boundary < $buckets)
            SELECT demand_class, minute % 1440 AS of_day, minute // 1440 AS day, slot, sum(arrivals)::DOUBLE AS arrivals
            FROM local GROUP BY ALL ORDER BY ALL"""
    )
    found: dict[str, np.ndarray] = {}
    names = np.asarray(columns["demand_class"], object)
    days, day = np.unique(columns["day"], return_inverse=True)
    for name in sorted(set(names)):
        own = names == name
        minutes, place = np.unique(columns["of_day"][own], return_inverse=True)
        counts = np.zeros((len(minutes), len(days), 4))
        np.add.at(counts, (place, day[own], columns["slot"][own].astype(np.int64)), columns["arrivals"][own])
        found[str(name)] = counts
    return found
