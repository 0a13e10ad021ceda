"""Specifications at random, small ones: each is refused with a reason, or its world passes S0 to S5.

Tens in every run of the tests; more with SEG5B_RANDOM_SPECS=300.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

import seg5b
from seg5b.errors import WorldError
from seg5b.public_tables import card_payments
from seg5b.world import World
from seg5b.world.vocabulary import CLASSES

SPECS = int(os.environ.get("SEG5B_RANDOM_SPECS", "12"))
COUNTRIES = ("US", "GB", "DE", "IN", "NP", "AU", "BR", "NO", "JP", "EG", "IR", "MA", "ES", "NZ", "KI")
CHANNELS = ("card_present", "card_not_present", "mixed", "wallet", "moto")
TYPES = ("campaign", "outage", "payday", "public_holiday", "season", "stress")


def some(draw: random.Random, values: Any, most: int = 4) -> list[Any]:
    return draw.sample(list(values), draw.randint(1, min(most, len(values))))


def horizon(draw: random.Random) -> dict[str, Any]:
    year, month, day = draw.choice([(2024, 2, 27), (2026, 3, 6), (2026, 10, 24), (2027, 6, 30), (2026, 12, 30)])
    start = f"{year}-{month:02d}-{day:02d}"
    if draw.random() < 0.5:
        start += f"T{draw.randrange(24):02d}:00:00Z"
    return {"start": start, "days": draw.choice([1, 2, 3, 9, 17])}


def overlay(draw: random.Random, countries: list[str], classes: list[str], first: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": f"o{draw.randrange(99)}",
        "type": draw.choice(TYPES),
        "factor": draw.choice([0, 0.05, 0.7, 1.3, 4]),
    }
    made |= draw.choice([{"start": first}, {"dates": [first]}])
    made |= draw.choice([{"days": 2}, {"hours": draw.randint(1, 40)}, {}])
    made |= draw.choice([{}, {"ramp_in_hours": 3, "ramp_out_hours": 5}])
    made |= draw.choice([{}, {"clock": "utc"}])
    made |= draw.choice([{}, {"countries": some(draw, countries)}, {"classes": some(draw, classes)}])
    return made


def _later_laws(made: dict[str, Any], draw: random.Random) -> None:
    """Laws that came later, by a draw of their own, so that a number means the specification that it meant."""
    if draw.random() < 0.4:
        made["placement"] = {"law": "linear_v1"}
    if draw.random() < 0.4:
        made["latent"] = {"model": "log_gaussian_two_level_v1", **draw.choice([{}, {"sigma": {"baseline": 0.6}}])}
        made["latent"] |= draw.choice(
            [{}, {"levels": {"country": {"variance_share": 0.0}, "zone": {"variance_share": 0.6}}}]
        )
    if draw.random() < 0.2:
        made["virtual"] = {"law": "public_v1"}


def specification(number: int) -> dict[str, Any]:
    draw = random.Random(f"specification {number}")
    countries, classes = some(draw, COUNTRIES), some(draw, CLASSES)
    made: dict[str, Any] = {"name": f"random_{number}", "horizon": horizon(draw), "seeds": [draw.randrange(2**64)]}
    weighted: Any = {country: draw.choice([0.1, 1, 5]) for country in countries}
    made["places"] = {"countries": draw.choice([countries, weighted])}
    if number % 4 == 3 and card_payments().keys() >= set(countries):
        made["places"]["law"] = "public_v1"
    count = draw.choice([1, 2, 3, 7, 20, 60])
    made["merchants"] = {"count": count, "classes": {name: draw.choice([0.2, 1, 3]) for name in classes}}
    made["merchants"]["reach"] = draw.choice([{}, {"countries": 1, "zones": 1}, {"countries": 2.5, "zones": 6}])
    made["merchants"]["size"] = draw.choice([{}, {"exponent": 0}, {"law": "pareto", "alpha": 1.1}])
    made["merchants"]["sites"] = draw.choice([{}, {"base": 0}])
    if draw.random() < 0.3:
        made["merchants"]["opening_hours"] = {classes[0]: {"opens": "08:15", "closes": "18:00", "days": [2, 4]}}
    made["bucket_seconds"] = draw.choice([900, 1800, 3600])
    made["volume"] = {"weekly_total": count * draw.choice([20, 300, 2_000])}
    first = made["horizon"]["start"][:10]
    made["scenarios"] = [
        {
            "id": f"s{place}",
            "kind": draw.choice(["baseline", "stress"]),
            "calendar": draw.choice(["none", "drawn_v1"]),
            "overlays": [overlay(draw, countries, classes, first) for _ in range(draw.randint(0, 3))],
        }
        for place in range(draw.choice([1, 1, 2]))
    ]
    made["virtual"] = draw.choice(
        [{}, {"only": 0, "hybrid": 0}, {"only": 1, "hybrid": 0, "classes": classes}, {"only": 0.2, "hybrid": 0.3}]
    )
    if draw.random() < 0.5:
        made["channels"] = {name: {"share": draw.choice([1, 4])} for name in some(draw, CHANNELS)}
    made["latent"] = draw.choice(
        [{}, {"model": "none"}, {"model": "log_gaussian_iid_v1"}, {"sigma": {"baseline": 0.6}}]
    )
    made["dispersion"] = draw.choice([{}, {"law": "poisson"}, {"kappa": {"baseline": 4.0}}])
    edges: Any = [{}, {}, {"countries": ["IE"]}, {"profile": "content_network"}, {"least": 1, "most": 1}]
    settle: Any = [{}, {}, {"settlement_zones": ["Asia/Macau", "Europe/Dublin"]}]
    made["virtual"] = {**made["virtual"], "edges": draw.choice(edges), **draw.choice(settle)}
    _later_laws(made, random.Random(f"laws {number}"))
    return made


@pytest.mark.parametrize("number", range(SPECS))
def test_refused_with_a_reason_or_pass(tmp_path: Path, number: int) -> None:
    try:
        own = World.from_mapping(specification(number))
        forecast = own.check()
    except WorldError as refused:
        assert refused.code == "5B.WORLD.SPEC_INVALID" and refused.where and refused.remedy
        return
    run_id = own.make(tmp_path)
    result = seg5b.run(tmp_path, run_id)
    assert [state.record["status"] for state in result.states] == ["PASS"] * 6
    assert forecast.cells > 0


def test_most_of_them_are_made() -> None:
    refused = 0
    for number in range(100):
        try:
            World.from_mapping(specification(number))
        except WorldError:
            refused += 1
    assert 5 <= refused <= 50
