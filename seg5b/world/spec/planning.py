"""The plan of a resolved specification, under the law that it names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from seg5b.tzdb import open_tzdb
from seg5b.world.plan import CALIBRATED, WorldPlan
from seg5b.world.spec.derived import derived_plan
from seg5b.world.spec.moments import horizon
from seg5b.world.spec.public import with_public_law, with_shapes_digest
from seg5b.world.spec.refusal import refusal
from seg5b.world.spec.source import resolved
from seg5b.world.vocabulary import MODES

MOST_MERCHANTS: Final = 350_000
"""The index of their slices (2B ``s2_alias_index``) takes up to 189 bytes a merchant, and at most `MOST_BYTES` of
`seg5b.foreign_json` is read of one JSON."""
_ONLY_DERIVED = ("channels", "placement", "latent", "dispersion", "targets", "policies")
_ONLY_DERIVED_BELOW = {
    "places": ("law", "tables_sha256", "profile", "file", "zones", "cities"),
    "merchants": ("file", "classes", "reach", "sites", "shapes", "shapes_sha256", "opening_hours"),
    "virtual": ("law", "hybrid_probability", "classes", "edges", "settlement_zones"),
    "volume": ("scale", "file"),
}


def plan_of(document: Mapping[str, Any]) -> WorldPlan:
    """The plan of a specification, resolved or as written.

    Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` where the schema refuses it, or a combination cannot be.
    """
    complete = with_shapes_digest(with_public_law(document, resolved(document)))
    plan = calibrated_plan(complete) if complete["law"] == CALIBRATED else derived_plan(complete)
    if plan.merchants > MOST_MERCHANTS:  # of a table: the schema limits a stated count
        what = f"has more than {MOST_MERCHANTS:,} merchants, whose index would be longer than the longest JSON that is read"
        raise refusal("merchants.file", complete["merchants"].get("file"), what, "keep fewer, or make several worlds")
    return plan


def calibrated_plan(complete: Mapping[str, Any]) -> WorldPlan:
    """The plan of a specification of the presets' law, which knows hours, drawn calendars and stated counts only. Raises
    `WorldError` ``5B.WORLD.SPEC_INVALID``."""
    _check_calibrated(complete)
    start, hours = horizon(complete)
    if hours % 24:
        raise refusal("horizon.end", f"{hours} hours", "are no whole days", "use days, or law: derived_v1")
    counts, countries = complete["calibration"], complete["places"]["countries"]
    merchants, virtual = complete["merchants"], complete["virtual"]
    return WorldPlan(
        name=complete["name"],
        start_utc=start,
        days=hours // 24,
        scenarios=tuple(each["id"] for each in complete["scenarios"]),
        countries=tuple(countries),
        zone_groups=tuple(counts["zone_groups"]) if "zone_groups" in counts else None,
        merchants=merchants["count"],
        component_keys=tuple(counts["component_keys"]),
        weekly_total=complete["volume"]["weekly_total"],
        volume_exponent=merchants["size"]["exponent"],
        class_volume=merchants["class_volume"],
        class_merchants=tuple(counts["class_merchants"]),
        mode_volume={MODES[1]: virtual["hybrid"], MODES[2]: virtual["only"]},
        time_zone_release=open_tzdb(complete["time_zone_release"]).release,
        document=complete,
        **{key: value for key, value in counts.items() if key not in _NAMED},
    )


_NAMED = ("zone_groups", "component_keys", "class_merchants")


@cache
def _unstated() -> Mapping[str, Any]:
    """A specification that states nothing but what every one must."""
    return resolved(
        {"name": "unstated", "horizon": {"start": "2026-01-01", "days": 1}, "places": {"countries": ["GB"]}}
    )


def _check_calibrated(complete: Mapping[str, Any]) -> None:
    """Raises for what the law needs and is missing, and for what it does not know."""
    for key in (
        "calibration",
        "merchants.count",
        "merchants.class_volume",
        "places.countries",
        "virtual.only",
        "virtual.hybrid",
        "volume.weekly_total",
    ):
        holder, _, last = key.rpartition(".")
        if last not in (complete[holder] if holder else complete):
            raise refusal(
                key, "nothing", f"is stated, and the law {CALIBRATED} needs it", "state it, or law: derived_v1"
            )
    usual = _unstated()
    strays = [key for key in _ONLY_DERIVED if complete.get(key) != usual.get(key)]
    for holder, keys in _ONLY_DERIVED_BELOW.items():
        strays += [f"{holder}.{key}" for key in keys if complete[holder].get(key) != usual[holder].get(key)]
    strays += ["bucket_seconds"] if complete["bucket_seconds"] != 3600 else []
    strays += ["places.countries"] if isinstance(complete["places"]["countries"], dict) else []
    for place, scenario in enumerate(complete["scenarios"]):
        named = (scenario["kind"] == "baseline") == (scenario["id"] == "baseline_v1")
        if scenario["overlays"] or scenario["calendar"] != "drawn_v1" or not named:
            strays.append(f"scenarios.{place}")
    if strays:
        raise refusal(
            strays[0],
            "what is stated",
            f"is unknown to the law {CALIBRATED}",
            "use law: derived_v1 without calibration",
        )
