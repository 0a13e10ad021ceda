"""A sitting runs on a tiny world and its JSON has its shape. No time is judged: that is what a sitting is for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pieces
import pytest
from growth import exponent
from ledger import Ledger, append_line
from pieces import PIECES, Setting
from pipeline import copied
from sitting import SIZES, arguments

from seg5b.hashing import tree_digests
from seg5b.pipeline import STATE_IDS
from seg5b.world.presets import PRESETS
from tests.long import LONG

REPOSITORY = Path(__file__).parents[2]
RUN = ("loops", "whole", "rerun", "export", "stream", "baselines", "generator")


pytestmark = LONG


@pytest.fixture(scope="module")
def sitting(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The JSON and the history of a sitting over the tiny world, of the pieces that take seconds."""
    folder = tmp_path_factory.mktemp("sitting")
    command = [
        sys.executable, "bench/sitting.py", "--world-root", str(tiny_world), "--pieces", ",".join(RUN),
        "--out", str(folder / "out.json"), "--history", str(folder / "history.jsonl"), "--scale", "0.001",
        "--export-rows", "100", "--baseline-arrivals", "9000", "--generator-scale", "0.01",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    history = (folder / "history.jsonl").read_text("utf-8").splitlines()
    return json.loads((folder / "out.json").read_text("utf-8")), [json.loads(line) for line in history]


def test_every_piece_is_there_with_its_figures(sitting: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    report, _ = sitting
    assert report["machine"]["processor"] and report["machine"]["packages"]["numpy"] and report["utc"]
    assert report["quiet"] is all(piece["quiet"] for piece in report["pieces"].values())
    figures = {name: piece["figures"] for name, piece in report["pieces"].items()}
    assert tuple(figures) == RUN
    whole = figures["whole"]["local"]
    assert tuple(whole["state_seconds"]) == STATE_IDS and whole["status"] == "PASS"
    assert whole["lanes_s"]["S4"].keys() >= {"realise", "encode", "hash"}
    assert whole["arrivals"] > 0 and whole["cells"] > 0 and whole["peak_gb"] > 0
    assert figures["rerun"]["unchanged"] is True
    assert all(figures["loops"][name]["speed_up"] > 0 for name in ("compute", "memory"))
    rows = {name: each["rows"] for name, each in figures["export"].items()}
    assert figures["stream"]["rows"] == 1000 and figures["stream"]["first_s"] > 0
    assert rows.pop("parquet_by_time") > 100 and rows == dict.fromkeys(("csv", "jsonl", "arrow", "parquet"), 100)


def test_baselines_make_what_was_asked_or_say_what_is_missing(sitting: tuple[dict[str, Any], Any]) -> None:
    """All scripts stop at the same merchant; a package that is not installed is no error."""
    found = dict(sitting[0]["pieces"]["baselines"]["figures"])
    s4, made = found.pop("s4_arrivals_per_s"), []
    assert len(found) == 4
    for each in found.values():
        if "skipped" in each:
            assert each["skipped"].endswith("is not installed")
        else:
            assert each["s4_times"] == pytest.approx(s4 / each["arrivals_per_s"])
            made.append(each["arrivals"])
    assert not made or (min(made) >= 9000 and len(set(made)) == 1)


def test_history_has_a_line_for_each_measured_piece(sitting: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    report, history = sitting
    measured = {name for name, piece in report["pieces"].items() if "skipped" not in piece["figures"]}
    assert {line["piece"] for line in history} == measured and len(history) == len(measured)
    assert all({"utc", "world", "machine", "quiet", "figures"} <= line.keys() for line in history)


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    append_line(file, '{"n": 1}')
    file.write_text(file.read_text("utf-8") + '{"n": ', encoding="utf-8")
    append_line(file, '{"n": 2}')
    assert file.read_text("utf-8").splitlines() == ['{"n": 1}', '{"n": ', '{"n": 2}']


def test_a_piece_that_fails_leaves_the_others(tmp_path: Path) -> None:
    def fails() -> dict[str, Any]:
        raise SystemExit("no space")

    ledger = Ledger(tmp_path / "out.json", tmp_path / "history.jsonl", {"history": {"world": "demo"}})
    ledger.measure("whole", fails)
    ledger.measure("rerun", lambda: {"seconds": 1.0})
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))["pieces"]
    assert found["whole"]["figures"] == {"failed": "no space"} and found["rerun"]["figures"] == {"seconds": 1.0}
    assert len((tmp_path / "history.jsonl").read_text("utf-8").splitlines()) == 1


def test_growth() -> None:
    sizes = [1e6, 1e7, 1e8]
    assert exponent(sizes, [3.0 * size**1.17 for size in sizes]) == pytest.approx(1.17)
    assert exponent([1e6, 1e6], [1.0, 2.0]) is None and exponent([1e6], [1.0]) is None


def _stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Setting, list[dict[str, str]]]:
    """A setting whose runs take no time: seconds follow from the size of the preset."""
    environments: list[dict[str, str]] = []

    def run(root: Path, options: list[str], **environment: str) -> dict[str, Any]:
        environments.append(environment)
        size = 1000 ** (1 + SIZES.index(root.name.split("-")[0])) if root.name.split("-")[0] in SIZES else 1000
        return {"arrivals": size, "cells": size**2, "state_seconds": dict.fromkeys(STATE_IDS, size**0.5)}

    monkeypatch.setattr(pieces, "whole_run", run)
    monkeypatch.setattr(pieces, "timed", lambda command, **environment: {"seconds": 1.0})
    setting = Setting(tmp_path, "small_classic", None, ("demo_classic", "small_classic"), ("local",), 1, 0, 0, 1.0, 1.0)
    for preset in setting.sizes:
        (tmp_path / f"world-{preset}").mkdir()
        setting.made[preset] = tmp_path / f"world-{preset}"
    return setting, environments


def test_sizes_are_put_on_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting, _ = _stand_in(tmp_path, monkeypatch)
    found = PIECES["sizes"](setting)
    assert found["exponent_by_arrivals"] == pytest.approx(dict.fromkeys([*STATE_IDS[1:], "whole"], 0.5))
    assert found["exponent_by_cells"] == pytest.approx(dict.fromkeys([*STATE_IDS[1:], "whole"], 0.25))


def test_efficiency_is_a_share_of_what_the_machine_offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting, _ = _stand_in(tmp_path, monkeypatch)
    monkeypatch.setattr(Setting, "cores", 4)

    seconds = {"1": 30.0, "4": 12.0}
    monkeypatch.setattr(pieces, "s4_alone", lambda setting, options: (seconds[options[-1]], 7))
    speed_up = {"compute": {"speed_up": 3.2}, "memory": {"speed_up": 2.0}}
    monkeypatch.setattr(pieces, "machine_loops", lambda setting: speed_up)
    found = PIECES["threads"](setting)
    assert found["s4_seconds"] == {"1": 30.0, "4": 12.0} and found["speed_up"] == pytest.approx(2.5)
    assert found["efficiency"] == pytest.approx({"compute": 2.5 / 3.2, "memory": 1.25})


def test_s4_alone_computes_and_leaves_the_run_as_it_was(tiny_run: Path, tmp_path: Path) -> None:
    setting = Setting(tmp_path, "demo_classic", tiny_run, ("demo_classic",), ("local",), 1, 0, 0, 1.0, 1.0)
    setting.runs["demo_classic-local"] = {}
    run = copied(tiny_run, tmp_path / "demo_classic-local")
    before = tree_digests(run)
    seconds, parts = pieces.s4_alone(setting, ["--threads", "1"])
    assert seconds > 0 and parts == len(list(run.glob("*/data/layer2/5B/arrival_events/*/*/*/*.parquet")))
    assert tree_digests(run) == before


def test_cold_begins_without_compiled_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting, environments = _stand_in(tmp_path, monkeypatch)
    assert PIECES["cold"](setting)["world"] == "demo_classic"
    cold, warm = environments
    assert cold == warm and not Path(cold["NUMBA_CACHE_DIR"]).exists(), "nothing but the first run fills it"


def test_sizes_up_to_the_world_are_measured_unless_others_are_named() -> None:
    assert set(SIZES) == {name for name in PRESETS if name.endswith("_classic")}
    assert arguments(["--world", "reference_classic", "--out", "x"]).sizes == list(SIZES[:3])
    assert arguments(["--out", "x", "--sizes", "large_classic,demo_classic"]).sizes == ["demo_classic", "large_classic"]
    with pytest.raises(SystemExit):
        arguments(["--out", "x", "--pieces", "all"])
