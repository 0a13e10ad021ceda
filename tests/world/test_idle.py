"""What is asked for and cannot show is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from seg5b.cli import main
from seg5b.world import World

SPEC: dict[str, Any] = {
    "name": "idle",
    "horizon": {"start": "2026-10-26", "days": 7},
    "places": {"countries": ["US", "GB"]},
    "merchants": {"count": 5},
}


def asking(**overlay: Any) -> dict[str, Any]:
    stated = {"name": "sale", "type": "campaign", "start": "2026-10-28", "factor": 2, **overlay}
    return {**SPEC, "scenarios": [{"id": "a", "overlays": [stated]}]}


@pytest.mark.parametrize(
    ("overlay", "says"),
    [
        ({}, ""),
        ({"start": "2027-01-01"}, "outside the horizon"),
        ({"start": "2026-11-02", "clock": "utc"}, "outside the horizon"),
        ({"start": "2026-11-02"}, ""),  # begins there while it is still the first in New York
        ({"countries": ["US"], "zones": ["Europe/London"]}, "covers no place"),
        ({"countries": ["US"], "zones": ["Europe/London", "America/Denver"]}, ""),
    ],
)
def test_notes(overlay: dict[str, Any], says: str) -> None:
    notes = World.from_mapping(asking(**overlay)).notes
    assert len(notes) == bool(says) and all(says in note and note.startswith("sale of scenario a") for note in notes)


def test_the_command_tells_them_and_goes_on_with_what_was_checked(tmp_path: Path) -> None:
    file = tmp_path / "idle.yaml"
    file.write_text(yaml.safe_dump(asking(start="2027-01-01")), "utf-8")
    change = ["--set", "places.countries={US: 1, GB: 2}", "--scale", "2"]
    done = CliRunner().invoke(main, ["world", "check", str(file), *change])
    assert "note: sale of scenario a lies outside the horizon" in done.stdout
    assert f"make --spec {file} --set 'places.countries={{US: 1, GB: 2}}' --scale 2" in done.stdout
    said = json.loads(CliRunner().invoke(main, ["world", "check", str(file), "--json"]).stdout)
    assert len(said["notes"]) == 1
