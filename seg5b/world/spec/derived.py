"""The plan of a specification under the law derived_v1: counts follow from merchants, countries and zones.

Law: docs/laws#world-derivation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from seg5b.tzdb import Tzdb, open_tzdb
from seg5b.world.plan import DERIVED, HOUR_S, Channel, OpenHours, OwnMerchants, OwnSites, OwnSurface, Shares, WorldPlan
from seg5b.world.spec.engine_laws import check_engine_laws
from seg5b.world.spec.holidays import with_holidays
from seg5b.world.spec.moments import horizon
from seg5b.world.spec.own_merchants import own_merchants, own_sites
from seg5b.world.spec.own_places import own_places
from seg5b.world.spec.own_surface import Grid, own_surface
from seg5b.world.spec.places import cities_of, country_shares, edge_cities, edge_shares, zone_shares_of
from seg5b.world.spec.public import is_public
from seg5b.world.spec.public_calendar import with_public_calendar
from seg5b.world.spec.refusal import refusal
from seg5b.world.spec.remote import check_remote, check_remote_channels, remote_by_edges
from seg5b.world.spec.scenarios import scenario_plans
from seg5b.world.vocabulary import CHANNELS, CLASSES, MODES, ONLINE

_ROAMING_PER_PAIR: Final = 0.6
"""Merchants of several countries, for each pair beyond one a merchant (presets: 0.47 to 0.83)."""
_TAIL_PART: Final = 0.35
"""Of rows beyond a pair's first, those of the tail (presets: 0.21 to 0.42)."""
_WEEKLY_PER_MERCHANT: Final = 1_000.0
_USUAL_VIRTUAL: Final = {"hybrid": 0.085, "only": 0.03}
_MOST_CELLS: Final = 1 << 33
_MOST_SITES: Final = 20_000_000
_MOST_WEEKLY: Final = 1e12


def derived_plan(complete: Mapping[str, Any]) -> WorldPlan:
    """The plan of a resolved specification. Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` where it cannot be."""
    if "calibration" in complete:
        raise refusal(
            "calibration", "what is stated", f"is derived under {DERIVED}", "remove it, or law: calibrated_v1"
        )
    start, hours = horizon(complete)
    merchants, virtual = complete["merchants"], complete["virtual"]
    database = open_tzdb(complete["time_zone_release"])
    complete = {**complete, "time_zone_release": database.release, "places": own_places(complete["places"], database)}
    countries = country_shares(complete["places"], database)
    zones = zone_shares_of(complete["places"], countries, database)
    own, sites, complete = _own_tables(complete, tuple(countries), tuple(zones))
    surface, own, complete = _own_surface(complete, own, sites, tuple(zones))
    count = len(own.ids) if own else merchants.get("count", 100)
    classes = _own_classes(own) if own and own.classes else _classes(merchants)
    complete = with_public_calendar(complete, tuple(countries), tuple(classes), start, hours)
    complete = with_holidays(complete, tuple(countries), start, hours)
    class_volume = _normal(merchants.get("class_volume", classes)) if not (own and own.classes) else classes
    plan = WorldPlan(
        name=complete["name"],
        start_utc=start,
        days=hours // 24,
        extra_hours=hours % 24,
        bucket_seconds=complete["bucket_seconds"],
        scenarios=tuple(each["id"] for each in complete["scenarios"]),
        scenario_plans=scenario_plans(complete, tuple(countries), tuple(zones), tuple(classes)),
        countries=tuple(countries),
        zone_groups=None,
        reach_size=0,
        merchants=count,
        **_counts(count, merchants["reach"], len(countries), len(zones)),
        country_rows=0,
        component_keys=(),
        active_tzids=len(zones),
        zone_shares=zones,
        zone_blend=0.0,
        cities=cities_of(complete["places"], zones, database),
        weekly_total=_weekly_total(complete["volume"], count, math.fsum(own.weekly) if own and own.weekly else 0.0),
        class_volume=class_volume,
        class_merchants=(classes,),
        mode_volume=_mode_volume(virtual, class_volume),
        least_events=0,
        channels=_channels(complete),
        **_laws(merchants),
        **_virtual(virtual, complete["places"], zones, database),
        site_ceilings=is_public(complete["places"]),
        own=own,
        own_sites=sites,
        own_surface=surface,
        time_zone_release=database.release,
        law=DERIVED,
        document=complete,
    )
    _check_targets(complete["targets"])
    _check_virtual(plan)
    _check_channels(plan)
    check_engine_laws(complete, complete.get("channels", {}) or CHANNELS)
    _check_size(plan)
    return plan


def _virtual(virtual: Mapping[str, Any], places: Mapping[str, Any], zones: Shares, database: Tzdb) -> dict[str, Any]:
    """Who is virtual, and where edges lie. Raises as `edge_shares`."""
    remote = remote_by_edges(virtual)
    return {
        "remote_by_edges": remote,
        "virtual_classes": ONLINE if remote else tuple(virtual["classes"]),
        "edge_limits": (virtual["edges"]["least"], virtual["edges"]["most"]),
        "edge_shares": edge_shares(virtual, places, zones, database),
        "edge_cities": edge_cities(virtual, places, zones, database),
        "edge_home_share": virtual["edges"].get("home_share", 0.0),
        "settlement_zones": tuple(sorted(virtual["settlement_zones"])),
    }


def _laws(merchants: Mapping[str, Any]) -> dict[str, Any]:
    """Laws of size, sites and opening hours."""
    size, sites = merchants["size"], merchants["sites"]
    return {
        "volume_exponent": size["exponent"],
        "pareto_alpha": size["alpha"] if size["law"] == "pareto" else 0.0,
        "peak_limit": float("inf"),
        "least_sites": sites["base"],
        "weekly_per_site": sites["weekly_arrivals_per_site"],
        "spread_deg": sites["spread_degrees"],
        "site_sigma": sites.get("sigma", 0.0),
        "largest_city_share": sites.get("largest_city_share", 1.0),
        "open_hours": {name: _open_hours(name, each) for name, each in merchants["opening_hours"].items()},
        "shapes_law": merchants["shapes"],
    }


def _counts(count: int, reach: Mapping[str, float], countries: int, zones: int) -> dict[str, Any]:
    """Counts of pairs and rows. Where a merchant or a country has too few zones for its rows, fewer are made."""
    pairs = min(max(count, round(count * reach["countries"])), count * countries)
    rows = min(max(pairs, round(count * reach["zones"])), count * zones)
    beyond = max(0, rows - pairs)
    tail = round(_TAIL_PART * beyond)
    return {
        "roaming_merchants": min(count, round(_ROAMING_PER_PAIR * (pairs - count)) or int(pairs > count)),
        "pairs": pairs,
        "primary_rows": pairs,
        "secondary_rows": beyond - tail,
        "tail_rows": tail,
    }


def _normal(weights: Shares) -> dict[str, float]:
    """Shares that sum to 1, in the order of the vocabulary, so that the order of writing means nothing."""
    total = math.fsum(weights.values())
    return {name: weights[name] / total for name in CLASSES if name in weights}


def _classes(merchants: Mapping[str, Any]) -> dict[str, float]:
    classes = _normal(merchants["classes"])
    stray = next((name for name in merchants.get("class_volume", {}) if name not in classes), None)
    missing = next((name for name in classes if name not in merchants.get("class_volume", classes)), None)
    if stray or missing:
        name = stray or missing
        raise refusal(
            f"merchants.class_volume.{name}",
            merchants["class_volume"].get(name, "nothing"),
            "does not match merchants.classes",
            "name the same classes in both",
        )
    return classes


def _own_tables(
    complete: Mapping[str, Any], countries: tuple[str, ...], zones: tuple[str, ...]
) -> tuple[OwnMerchants | None, OwnSites | None, Mapping[str, Any]]:
    """A user's merchants and sites, and the specification with the digests of their tables."""
    merchants = complete["merchants"]
    own, digest = own_merchants(merchants, countries) or (None, "")
    sites, sites_digest = own_sites(merchants["sites"], own, zones, open_tzdb(complete["time_zone_release"])) or (
        None,
        "",
    )
    if own:
        merchants = {**merchants, "file_sha256": digest}
    if sites:
        merchants = {**merchants, "sites": {**merchants["sites"], "file_sha256": sites_digest}}
    return own, sites, {**complete, "merchants": merchants}


def _own_surface(
    complete: Mapping[str, Any], own: OwnMerchants | None, sites: OwnSites | None, zones: tuple[str, ...]
) -> tuple[OwnSurface | None, OwnMerchants | None, Mapping[str, Any]]:
    """A user's intensities, the merchants with the volumes that they have by them, and the specification with the digest
    of the table."""
    start, hours = horizon(complete)
    seconds = complete["bucket_seconds"]
    channels = tuple(sorted(complete.get("channels", {}))) or CHANNELS
    found = own_surface(complete["volume"], own, Grid(start, hours * HOUR_S // seconds, seconds, zones, channels))
    if found is None:
        return None, own, complete
    surface, own, digest = found
    asked = complete["merchants"].get("count", len(own.ids))
    if asked != len(own.ids):
        what = f"does not agree with the {len(own.ids):,} merchants of {Path(complete['volume']['file']).name}"
        raise refusal("merchants.count", asked, what, "leave count out, or name all in merchants.file")
    if sites and surface.zone:
        _check_zones_of_sites(surface, own, sites)
    return surface, own, {**complete, "volume": {**complete["volume"], "file_sha256": digest}}


def _check_zones_of_sites(surface: OwnSurface, own: OwnMerchants, sites: OwnSites) -> None:
    """A merchant of both tables has the same zones in both."""
    standing, expecting = (set(zip(each, names, strict=True)) for each, names in (
        (sites.merchant, sites.zone), (surface.merchant.tolist(), surface.zone)
    ))  # fmt: skip
    both = set(sites.merchant) & set(surface.merchant.tolist())
    for merchant, zone in sorted(standing ^ expecting):
        if merchant in both:
            where, lacks = (
                ("volume.file", "sites") if (merchant, zone) in expecting else ("merchants.sites.file", "arrivals")
            )
            what = f"of merchant {own.ids[merchant]} has no {lacks}"
            raise refusal(f"{where}.zone", zone, what, "name the same zones of a merchant in both tables")


def _own_classes(own: OwnMerchants) -> dict[str, float]:
    """Shares of volume of the classes of a table, of merchants where it has no volumes."""
    volumes = own.weekly or (1.0,) * len(own.ids)
    weights: dict[str, float] = {}
    for name, volume in zip(own.classes, volumes, strict=True):
        weights[name] = weights.get(name, 0.0) + volume
    return _normal(weights)


def _mode_volume(virtual: Mapping[str, Any], class_volume: Shares) -> dict[str, float]:
    """Shares of volume by virtual mode: stated, or the usual ones as far as the virtual classes have volume."""
    if remote_by_edges(virtual):
        return {MODES[1]: 0.0, MODES[2]: math.fsum(share for name, share in class_volume.items() if name in ONLINE)}
    within = math.fsum(share for name, share in class_volume.items() if name in virtual["classes"])
    usual = min(1.0, within / math.fsum(_USUAL_VIRTUAL.values()))
    return {
        mode: virtual.get(key, _USUAL_VIRTUAL[key] * usual) for key, mode in (("hybrid", MODES[1]), ("only", MODES[2]))
    }


def _weekly_total(volume: Mapping[str, float], count: int, own: float) -> float:
    base = volume.get("weekly_total", own or _WEEKLY_PER_MERCHANT * count)
    total = base * volume["scale"]
    if not 0 < total <= _MOST_WEEKLY:
        raise refusal("volume.scale", volume["scale"], f"makes {total:g} arrivals a week", "stay within 1e12")
    return float(total)


def _channels(complete: Mapping[str, Any]) -> tuple[Channel, ...]:
    stated = complete.get("channels", {})
    return tuple(
        Channel(name, stated[name]["share"], tuple(stated[name].get("classes", ()))) for name in sorted(stated)
    )


def _open_hours(name: str, stated: Mapping[str, Any]) -> OpenHours:
    opens, closes = (_minute(stated[key]) for key in ("opens", "closes"))
    if closes <= opens:
        key = f"merchants.opening_hours.{name}.closes"
        raise refusal(key, stated["closes"], f"is not after {stated['opens']}", 'close later, at most at "24:00"')
    return OpenHours(tuple(sorted(stated["days"])), opens, closes)


def _minute(text: str) -> int:
    return 60 * int(text[:2]) + int(text[3:])


def _check_targets(targets: Mapping[str, Any]) -> None:
    for name, bounds in targets.items():
        if isinstance(bounds, list) and bounds[0] > bounds[1]:
            raise refusal(f"targets.{name}", bounds, "has its highest value first", "write [lowest, highest]")


def _check_virtual(plan: WorldPlan) -> None:
    check_remote(plan.document["virtual"])
    asked = math.fsum(plan.mode_volume.values())
    if asked > 1:
        raise refusal("virtual.only", plan.mode_volume[MODES[2]], f"and hybrid are {asked:g} of 1", "lower one")
    least, most = plan.edge_limits
    if least > most:
        raise refusal("virtual.edges.least", least, f"is above most, {most}", "lower it")
    if plan.own and plan.own.modes:
        return
    within = math.fsum(share for name, share in plan.class_volume.items() if name in plan.virtual_classes)
    if asked > within + 1e-9:
        raise refusal(
            "virtual.classes",
            list(plan.virtual_classes),
            f"hold {within:g} of the volume, and {asked:g} is to be virtual",
            "name more classes, or lower virtual.only and virtual.hybrid (0 and 0: no virtual merchants)",
        )


def _check_channels(plan: WorldPlan) -> None:
    if not plan.channels:
        return
    if plan.remote_by_edges:
        check_remote_channels(plan.channels, plan.class_volume)
    for name in plan.class_volume:
        if not any(not each.classes or name in each.classes for each in plan.channels):
            raise refusal("channels", name, "has no channel to sell through", "add the class to a channel")


def _check_size(plan: WorldPlan) -> None:
    sites = plan.least_sites * plan.merchants + plan.weekly_total / plan.weekly_per_site
    if sites > _MOST_SITES:
        raise refusal(
            "merchants.sites",
            plan.weekly_per_site,
            f"makes {sites:,.0f} sites of {plan.weekly_total:,.0f} weekly arrivals, more than {_MOST_SITES:,}",
            "raise merchants.sites.weekly_arrivals_per_site",
        )
    cells = plan.active_rows * plan.buckets * len(plan.scenarios) * max(1, len(plan.channels))
    if cells > _MOST_CELLS:
        raise refusal(
            "merchants.count",
            plan.merchants,
            f"makes {cells:,} intensities (rows x buckets x scenarios x channels), more than {_MOST_CELLS:,}",
            "fewer merchants, a shorter horizon or longer buckets",
        )
