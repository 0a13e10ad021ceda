"""Weekly shapes of the demand classes: 168 hourly shares, Monday 00 h first. Two laws: peaks
(docs/laws#world-shapes) and public hourly tables (docs/laws#world-public-shapes)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.world import portable
from seg5b.world.draws import hash_unit
from seg5b.world.plan import PEAKS, OpenHours, WorldPlan
from seg5b.world.public_hours import LAW, week_weights
from seg5b.world.vocabulary import CLASSES

HOURS = 168
VARIANTS = 3


@dataclass(frozen=True, slots=True)
class _Template:
    """Day weights Monday to Sunday; peaks (centre minute, width in minutes, amplitude); floor; power."""

    days: tuple[float, ...]
    peaks: tuple[tuple[int, int, float], ...]
    floor: float
    power: float


def _weekend(saturday: float, sunday: float | None = None) -> tuple[float, ...]:
    return (1.0, 1.0, 1.0, 1.0, 1.0, saturday, saturday if sunday is None else sunday)


_TEMPLATES = {
    "always_on_local": _Template(_weekend(1.0), ((540, 180, 0.6), (1140, 180, 0.6)), 0.25, 0.85),
    "bills_utilities": _Template((1, 1, 1, 1, 0.9, 0.5, 0.4), ((600, 100, 0.9), (840, 110, 0.7)), 0.05, 1.05),
    "consumer_daytime": _Template(_weekend(0.9), ((720, 120, 1.0), (1020, 140, 0.8)), 0.08, 1.1),
    "evening_weekend": _Template(
        (0.8, 0.8, 0.9, 1, 1.1, 1.6, 1.5), ((60, 120, 0.3), (1200, 110, 1.2), (1350, 120, 0.8)), 0.08, 1.3
    ),
    "fuel_convenience": _Template(_weekend(0.9), ((480, 90, 1.1), (1050, 100, 1.0)), 0.07, 1.1),
    "low_volume_tail": _Template(_weekend(1.0), ((660, 200, 0.4),), 0.10, 0.8),
    "office_hours": _Template(_weekend(0.35, 0.30), ((600, 90, 1.0), (840, 90, 0.9)), 0.07, 1.2),
    "online_24h": _Template(_weekend(1.1), ((60, 150, 0.8), (1260, 160, 0.7)), 0.20, 0.9),
    "online_bursty": _Template(
        (0.9, 0.9, 0.9, 1, 1.1, 1.4, 1.3), ((90, 140, 0.4), (660, 70, 1.4), (1140, 80, 1.2)), 0.10, 1.6
    ),
    "travel_hospitality": _Template((0.8, 0.9, 1, 1, 1.1, 1.5, 1.4), ((540, 120, 1.0), (1080, 140, 0.9)), 0.06, 1.15),
}
# Variants 1 to 3: shift of the centres in minutes, factor of the widths, factor of the weekend weights.
_VARIANT_LAWS = ((-60, 0.9, 0.95), (0, 1.0, 1.0), (60, 1.1, 1.05))


def all_shapes(plan: WorldPlan) -> NDArray[np.float64]:
    """Shapes of every class and variant by the plan's law, float64 [classes, variants, 168 per hour], each summing to 1."""
    law, per_hour, known = plan.shapes_law, plan.buckets_per_hour, plan.open_hours
    return np.array(
        [[shape(name, variant, per_hour, known.get(name), law) for variant in range(VARIANTS)] for name in CLASSES]
    )


def shape(
    class_name: str, variant: int, per_hour: int = 1, open_hours: OpenHours | None = None, law: str = PEAKS
) -> NDArray[np.float64]:
    """Shape of one class and variant (0 to 2), float64 [168 per_hour], summing to 1. ``open_hours`` cuts off what lies outside
    them, by the part of a bucket that is open."""
    made = week_weights if law == LAW else _of_peaks
    weights = made(class_name, variant, per_hour).astype(np.float64)
    if open_hours is not None:
        weights = weights * _open_part(open_hours, per_hour)
    return np.asarray(weights / weights.sum())


def _of_peaks(class_name: str, variant: int, per_hour: int) -> NDArray[np.float64]:
    """Weights by peaks; buckets shorter than an hour take the law at the minute at which they begin."""
    template = _TEMPLATES[class_name]
    shift_min, widen, weekend = _VARIANT_LAWS[variant]
    minute = np.arange(24 * per_hour) * (60.0 / per_hour)
    day = np.full(24 * per_hour, template.floor)
    for centre, width, amplitude in template.peaks:
        place = (minute - (centre + shift_min)) / (width * widen)
        day += amplitude * portable.exp(-0.5 * place * place)
    days = np.array(template.days) * np.where(np.arange(7) >= 5, weekend, 1.0)
    return np.asarray(portable.power(np.outer(days, day), template.power).ravel())


def _open_part(open_hours: OpenHours, per_hour: int) -> NDArray[np.float64]:
    """Part of each bucket of the week that lies in opening hours."""
    length_min = 60.0 / per_hour
    begins = np.arange(24 * per_hour) * length_min
    within = np.minimum(begins + length_min, open_hours.closes) - np.maximum(begins, open_hours.opens)
    day = np.clip(within / length_min, 0.0, 1.0)
    return np.outer(np.isin(np.arange(1, 8), open_hours.days).astype(np.float64), day).ravel()


def variant_of(class_name: str, channel: str, tzid: str, parameter_hash: str) -> int:
    """Variant that a class, channel and zone use: floor(3 u), u hashed from their names."""
    return int(VARIANTS * hash_unit(f"5A.S2.template|{class_name}|{channel}|{tzid}|{parameter_hash}"))
