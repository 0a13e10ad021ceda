"""A user's own table of places: what it says is what a specification in words says, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from seg5b.errors import WorldError
from seg5b.runs.root import WORLD_SPECIFICATION
from seg5b.world import World

TABLE = """zone,weight,country,city,latitude,longitude
America/New_York,3,US,Providence,41.82,-71.41
Europe/Lisbon,2,PT,Lisbon,38.72,-9.14
America/New_York,5,US,Boston,42.36,-71.06
America/Chicago,2,US,Chicago,41.9,-87.6
"""


def with_places(folder: Path, text: str, more: str = "") -> World:
    (folder / "places.csv").write_text(text)
    spec = f"name: own\nhorizon: {{start: 2026-11-01, days: 7}}\nplaces: {{file: places.csv{more}}}\nmerchants: {{count: 9}}\n"
    (folder / "w.yaml").write_text(spec)
    return World.from_file(folder / "w.yaml")


def test_a_table_says_what_words_say(tmp_path: Path) -> None:
    said = {
        "name": "own",
        "horizon": {"start": "2026-11-01", "days": 7},
        "places": {
            "countries": {"PT": 2, "US": 10},
            "zones": {"PT": {"Europe/Lisbon": 2}, "US": {"America/New_York": 8, "America/Chicago": 2}},
            "cities": [
                {"name": "Chicago", "zone": "America/Chicago", "latitude": 41.9, "longitude": -87.6, "weight": 2},
                {"name": "Boston", "zone": "America/New_York", "latitude": 42.36, "longitude": -71.06, "weight": 5},
                {"name": "Providence", "zone": "America/New_York", "latitude": 41.82, "longitude": -71.41, "weight": 3},
                {"name": "Lisbon", "zone": "Europe/Lisbon", "latitude": 38.72, "longitude": -9.14, "weight": 2},
            ],
        },
        "merchants": {"count": 9},
    }
    own = with_places(tmp_path, TABLE)
    assert own.document["places"] == World.from_mapping(said).document["places"]
    assert own.make(tmp_path / "runs") == World.from_mapping(said).make(tmp_path / "other")


def test_the_order_of_rows_means_nothing_and_a_kept_specification_needs_no_table(tmp_path: Path) -> None:
    head, *rows = TABLE.splitlines(keepends=True)
    one, other = with_places(tmp_path, TABLE), with_places(tmp_path, head + "".join(sorted(rows)))
    assert one.plan == other.plan
    run = one.make(tmp_path / "runs")
    (tmp_path / "places.csv").unlink()
    kept = yaml.safe_load((tmp_path / "runs" / run / WORLD_SPECIFICATION).read_text())
    assert World.from_mapping(kept).plan == one.plan


def test_zones_alone_are_enough(tmp_path: Path) -> None:
    world = with_places(tmp_path, "zone\nEurope/Madrid\nAtlantic/Canary\nEurope/Lisbon\n")
    assert world.plan.zone_shares == pytest.approx(
        {"Atlantic/Canary": 1 / 3, "Europe/Lisbon": 1 / 3, "Europe/Madrid": 1 / 3}
    )
    assert world.plan.countries == ("ES", "PT") and not world.plan.cities


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        (TABLE.replace("weight", "weights"), "places.file.weights", "unknown column"),
        (TABLE.replace("zone", "city_"), "places.file.city_", "unknown column"),
        ("weight\n1\n", "places.file.zone", "has no such column"),
        (TABLE.replace(",3,", ",-3,"), "places.file.weight", "in row 1 is not above 0"),
        (TABLE.replace("Europe/Lisbon", "Europe/Porto"), "places.file.zone", "in row 2 is no zone of zone.tab"),
        (TABLE.replace("PT", "ES"), "places.file.country", "in row 2 is not the country of Europe/Lisbon, PT"),
        (TABLE.replace("-9.14", "-190"), "places.file.longitude", "in row 2 is not within -180 .. 180"),
        ("zone,city\nEurope/Lisbon,Lisbon\n", "places.file.latitude", "has no such column"),
        ("zone\n", "places.file", "has no rows"),
    ],
)
def test_a_wrong_table_is_told_by_column_and_row(tmp_path: Path, text: str, key: str, says: str) -> None:
    with pytest.raises(WorldError) as caught:
        with_places(tmp_path, text)
    assert caught.value.where == key and says in caught.value.what


def test_places_in_words_too_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"places.countries: .* both say where"):
        with_places(tmp_path, TABLE, ", countries: [US]")
