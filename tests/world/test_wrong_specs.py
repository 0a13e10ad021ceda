"""Specifications that cannot be: each is refused with key, value, reason and remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from seg5b.errors import WorldError
from seg5b.world import World
from seg5b.world.spec import with_values
from seg5b.world.spec.source import assignments

SOUND: dict[str, Any] = {
    "name": "shops",
    "horizon": {"start": "2026-10-26T05:00:00Z", "days": 14},
    "places": {"countries": {"US": 3, "GB": 1}},
    "merchants": {"count": 10},
}
OVERLAY = {"name": "sale", "type": "campaign", "start": "2026-10-30", "factor": 2}
EVENING = {"evening_weekend": {"opens": "18:00", "closes": "17:00"}}

WRONG: dict[str, tuple[Mapping[str, Any], str, str, str, str]] = {
    "unknown key": ({"merchants.cuont": 5}, "merchants.cuont", "5", "is an unknown key", "did you mean count?"),
    "no merchant": ({"merchants.count": 0}, "merchants.count", "0", "is below 1", "Number of merchants"),
    "half a merchant": ({"merchants.count": 2.5}, "merchants.count", "2.5", "is not a whole number", "Number of"),
    "name in capitals": ({"name": "Shops"}, "name", "'Shops'", "does not have the form", "Name of the world"),
    "truth value": (
        {"places.countries": [False]},
        "places.countries.0",
        "False",
        "a truth value, not a text",
        '("NO")',
    ),
    "not a country": ({"places.countries": ["UK"]}, "places.countries", "'UK'", "is no country", "GB, not UK"),
    "zone of another country": (
        {"places.zones": {"GB": {"Europe/Paris": 1}}},
        "places.zones.GB.Europe/Paris",
        "1.0",
        "is a zone of FR",
        "zones of GB: Europe/London",
    ),
    "zone without country": (
        {"places.zones": {"FR": {"Europe/Paris": 1}}},
        "places.zones.FR",
        "Europe/Paris",
        "no country",
        "add",
    ),
    "two kinds of place": ({"places.profile": "demo"}, "places", "'demo'", "both say where", "state one"),
    "city elsewhere": (
        {"places.cities": [{"name": "Paris", "zone": "Europe/Paris", "latitude": 48.9, "longitude": 2.3}]},
        "places.cities.0.zone",
        "'Europe/Paris'",
        "has no share",
        "places.zones",
    ),
    "two lengths": ({"horizon.end": "2026-12-01"}, "horizon", "T05:00", "has both days and end", "state one of"),
    "half an hour": (
        {"horizon.start": "2026-10-26T05:30:00Z"},
        "horizon.start",
        "05:30",
        "whole hour",
        "begin and end",
    ),
    "no such day": (
        {"horizon.start": "2026-02-29"},
        "horizon.start",
        "02-29",
        "is no day of the calendar",
        "write 2026",
    ),
    "after the offsets": (
        {"horizon.start": "2037-12-31"},
        "horizon.days",
        "14",
        "ends after 2037",
        "first of January 2038",
    ),
    "bucket": ({"bucket_seconds": 600}, "bucket_seconds", "600", "is none of 900, 1800, 3600", "Length of the buckets"),
    "seed": ({"seeds": [2**64]}, "seeds.0", str(2**64), "is no number that can be used", "64 bits"),
    "negative seed": ({"seeds": [-1]}, "seeds.0", "-1", "is below 0", "Unsigned, 64 bits"),
    "not a number": (
        {"merchants.size": {"exponent": math.nan}},
        "merchants.size.exponent",
        "nan",
        "is no number",
        "1e15",
    ),
    "endless": ({"virtual.only": math.inf}, "virtual.only", "inf", "is no number", "1e15"),
    "huge": ({"places.countries": {"US": 1e300}}, "places.countries.US", "1e+300", "is no number", "1e15"),
    "power without dispersion": (
        {"dispersion": {"law": "poisson", "volume_power": {"reference_mean": 5, "power": 1}}},
        "dispersion.volume_power",
        "power",
        "is of nb2 alone",
        "state dispersion.law: nb2",
    ),
    "power of volume": (
        {"dispersion": {"volume_power": {"reference_mean": 5, "power": 2}}},
        "dispersion.volume_power.power",
        "2",
        "is above 1",
        "",
    ),
    "sigma": ({"latent": {"sigma": {"baseline": 20}}}, "latent.sigma.baseline", "20", "is above 5", "kind baseline"),
    "exponent": ({"volume.weekly_total": "1e5"}, "volume.weekly_total", "1e5", "is a text to YAML", "1.0e+5"),
    "outage that adds": (
        {"scenarios": [{"id": "a", "overlays": [{"name": "x", "type": "outage", "start": "2026-11-01", "factor": 2}]}]},
        "scenarios.0.overlays.0.factor",
        "2",
        "of an outage is above 1",
        "campaign",
    ),
    "bounds": (
        {"targets": {"virtual_share": [1, 0]}},
        "targets.virtual_share",
        "[1.0, 0.0]",
        "highest value first",
        "lowest",
    ),
    "no seed": ({"seeds": []}, "seeds", "[]", "has fewer than 1 entries", "Seeds that"),
    "class": ({"merchants.classes": {"shops": 1}}, "merchants.classes.shops", "'shops'", "is none of", "Demand class"),
    "class without volume": (
        {"merchants.class_volume": {"office_hours": 1}},
        "merchants.class_volume.office_hours",
        "1.0",
        "does not match merchants.classes",
        "same classes",
    ),
    "closing first": (
        {"merchants.opening_hours": EVENING},
        "merchants.opening_hours.evening_weekend.closes",
        "'17:00'",
        "is not after 18:00",
        '"24:00"',
    ),
    "too virtual": (
        {"virtual.only": 0.5},
        "virtual.classes",
        "online_24h",
        "hold 0.17 of the volume",
        "name more classes",
    ),
    "more than all": ({"virtual": {"only": 0.6, "hybrid": 0.6}}, "virtual.only", "0.6", "are 1.2 of 1", "lower one"),
    "buyers": (
        {"virtual.edges.countries": ["UK"]},
        "virtual.edges.countries",
        "UK",
        "no country with a time zone",
        "GB",
    ),
    "two sorts of buyers": (
        {"virtual.edges": {"countries": ["GB"], "profile": "content_network"}},
        "virtual.edges.profile",
        "content_network",
        "and countries both say where",
        "state one",
    ),
    "settlement": (
        {"virtual.settlement_zones": ["Mars/Base"]},
        "virtual.settlement_zones",
        "Mars/Base",
        "is no zone",
        "Dublin",
    ),
    "edges": ({"virtual.edges": {"least": 9, "most": 3}}, "virtual.edges.least", "9", "is above most, 3", "lower it"),
    "no channel": (
        {"channels": {"till": {"share": 1, "classes": ["office_hours"]}}},
        "channels",
        "'consumer_daytime'",
        "has no channel to sell through",
        "add the class",
    ),
    "scenario twice": (
        {"scenarios": [{"id": "a"}, {"id": "a"}]},
        "scenarios.1.id",
        "'a'",
        "is there twice",
        "of its own",
    ),
    "overlay elsewhere": (
        {"scenarios": [{"id": "a", "overlays": [{**OVERLAY, "countries": ["FR"]}]}]},
        "scenarios.0.overlays.0.countries",
        "'FR'",
        "is not in this world",
        "it has GB, US",
    ),
    "overlay without start": (
        {"scenarios": [{"id": "a", "overlays": [{"name": "x", "type": "outage", "factor": 0}]}]},
        "scenarios.0.overlays.0",
        "'x'",
        "needs one of start and dates",
        "state one",
    ),
    "overlay ends first": (
        {"scenarios": [{"id": "a", "overlays": [{**OVERLAY, "end": "2026-10-29"}]}]},
        "scenarios.0.overlays.0.end",
        "'2026-10-29'",
        "is not after the start",
        "end later",
    ),
    "factor": (
        {"scenarios": [{"id": "a", "overlays": [{**OVERLAY, "factor": 9}]}]},
        "scenarios.0.overlays.0.factor",
        "9",
        "is above 5",
        "full strength",
    ),
    "no volume": ({"volume.weekly_total": 0}, "volume.weekly_total", "0", "is not above 0", "Expected arrivals"),
    "too much": ({"volume": {"weekly_total": 1e12, "scale": 2}}, "volume.scale", "2.0", "makes 2e+12", "within 1e12"),
    "too many cells": (
        {"merchants.count": 350_000, "horizon.days": 366, "bucket_seconds": 900},
        "merchants.count",
        "350000",
        "intensities",
        "fewer merchants",
    ),
    "too many merchants": (
        {"merchants.count": 1_000_000},
        "merchants.count",
        "1000000",
        "is above 350,000",
        "one JSON, and 64 MiB are read of one); fewer may have more volume each",
    ),
    "counts under derived_v1": (
        {"law": "calibrated_v1"},
        "calibration",
        "nothing",
        "calibrated_v1 needs it",
        "derived_v1",
    ),
    "no such policy key": (
        {"policies": {"grouping_policy_5B": {"zone_buckets": 8}}},
        "policies.grouping_policy_5B.zone_buckets",
        "",
        "has no such key",
        "dotted key",
    ),
    "policy refused": (
        {"policies": {"grouping_policy_5B": {"zone_group_buckets": 0}}},
        "policies.grouping_policy_5B",
        "",
        "make no policy",
        "",
    ),
    "too many sites": ({"volume.weekly_total": 1e12}, "merchants.sites", "484.6", "2,063,557,6", "raise merchants"),
    "a bucket overflows": (
        {"volume.weekly_total": 1e12, "merchants.sites": {"weekly_arrivals_per_site": 1e9}},
        "volume.weekly_total",
        "1000000000000.0",
        "into one bucket",
        "lower it",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_specification_is_told_where_and_why(case: str) -> None:
    values, key, value, reason, remedy = WRONG[case]
    with pytest.raises(WorldError) as caught:
        World.from_mapping(with_values(SOUND, values)).check()
    error = caught.value
    assert (error.code, error.where) == ("5B.WORLD.SPEC_INVALID", key)
    assert error.what.startswith(f"{key}: ") and value in error.what and reason in error.what
    assert remedy in error.remedy and error.remedy


def test_the_specification_that_is_spoilt_is_sound() -> None:
    assert World.from_mapping(SOUND).check().merchants == 10


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\nname: b\n", "appears twice"),
        ("horizon: {start: 2026-01-01, days: 010}\n", "octal"),
        ("- a\n", "not a mapping"),
        ("name: [\n", "not usable YAML"),
    ],
)
def test_yaml_is_read_strictly(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(text)
    with pytest.raises(WorldError, match=says) as caught:
        World.from_file(file)
    assert caught.value.code == "5B.WORLD.SPEC_INVALID"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="does not exist"):
        World.from_file(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("merchants.count", "is not key=value"),
        ("merchants.count=[", "is no YAML value"),
        ("name.first=a", "single value"),
        ("seeds.3=1", "the list has no entry 3"),
    ],
)
def test_values_of_the_command_line_are_told_apart(text: str, says: str) -> None:
    with pytest.raises(WorldError, match=says):
        with_values({**SOUND, "seeds": [1]}, assignments([text]))
