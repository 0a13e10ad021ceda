"""`seg5b explain`: ways to name an arrival, forms, files, exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from seg5b.api import Run, open_run
from seg5b.cli import main
from tests.worlds import copy_run


@pytest.fixture(scope="session")
def run(tiny_arrivals: Path) -> Run:
    return open_run(tiny_arrivals)


def explain(run: Run, *words: str) -> Result:
    return CliRunner().invoke(main, ["explain", *words, "--runs-root", str(run.root.path.parent)])


def first(run: Run) -> tuple[str, str]:
    rows = run.table("arrival_events_5B", "baseline_v1", ["merchant_id", "arrival_seq"]).slice(20, 1).to_pylist()
    return str(rows[0]["merchant_id"]), str(rows[0]["arrival_seq"])


def test_a_life_as_text_html_and_json(run: Run, tmp_path: Path) -> None:
    merchant, number = first(run)
    named = ("--merchant", f"id_{merchant}", "--number", number)
    shown = explain(run, *named)
    assert shown.exit_code == 0 and "What it is" in shown.output and "equal to what was published" in shown.output
    assert "base_counter" not in shown.output and "base_counter" in explain(run, *named, "--integers").output
    assert max(map(len, shown.output.splitlines())) <= 100
    assert explain(run, "--merchant", merchant, "--seq", number).output == shown.output
    page = explain(run, *named, "--html").output
    assert page.startswith("<!DOCTYPE html>")
    out = tmp_path / "life.html"
    written = explain(run, *named, "--out", str(out))
    assert written.exit_code == 0 and str(out) in written.output and out.read_text("utf-8") == page[:-1]
    assert explain(run, *named, "--out", "-").stdout == page[:-1]
    payload = json.loads(explain(run, *named, "--json").stdout)
    assert payload["ok"] and payload["holds"] and payload["life"]["sections"][0]["title"] == "What it is"
    assert payload["arrival"]["draws"]["time"]["counter"] and payload["matches"] is None


def test_files_are_replaced_on_request_only(run: Run, tmp_path: Path) -> None:
    named = (*("--merchant", first(run)[0]), *("--number", first(run)[1]), "--out")
    copy = open_run(copy_run(run.root.path.parent, tmp_path).path.parent)
    out, link = tmp_path / "life.html", tmp_path / "link.html"
    out.write_text("mine")
    link.symlink_to(out)
    for target, code in (
        (out, "TARGET_EXISTS"),
        (link, "TARGET_SPECIAL"),
        (copy.root.path / "reports" / "life.html", "TARGET_IN_RUN"),
        (copy.root.path / "run_receipt.json", "TARGET_IN_RUN"),
        (tmp_path / "none" / "life.html", "NO_FOLDER"),
    ):
        for more in ((), ("--overwrite",)):
            if target == out and more:
                continue
            refused = explain(copy, *named, str(target), *more)
            assert refused.exit_code == 1 and f"5B.EXPORT.{code}" in refused.output, refused.output
    assert out.read_text() == "mine" and not (copy.root.path / "reports" / "life.html").exists()
    assert explain(copy, *named, str(out), "--overwrite").exit_code == 0
    assert out.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert [path for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_by_site_and_time(run: Run) -> None:
    listed = explain(run, "--from", "2026-03-09", "--to", "2026-03-10T00:00:00+01:00", "--list", "3")
    lines = listed.output.splitlines()
    assert listed.exit_code == 0 and len(lines) == 4 and lines[3].startswith("3 of ")
    words = lines[0].split()
    (told,) = {explain(run, *words[:4]).output, explain(run, *words[:4]).output}
    earliest = explain(run, "--at", "2026-03-09")
    assert earliest.output.startswith("the earliest of ") and earliest.output.split("\n\n", 1)[1] == told
    rows = json.loads(explain(run, "--at", "2026-03-09", "--list", "2", "--json").stdout)
    assert [row["merchant_id"] for row in rows["arrivals"]] == [line.split()[1] for line in lines[:2]]
    assert rows["matches"] > 2 and rows["arrivals"][0]["ts_utc"].startswith("2026-03-09T00:")
    site = next(row["site_id"] for row in rows["arrivals"] if row["site_id"])
    assert f"site {site}" in " ".join(explain(run, "--site", site).output.split())


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--merchant", "1"),
        ("--number", "1"),
        ("--zone", "Europe/Rome", "--bucket", "1"),
        ("--merchant", "1", "--zone", "Europe/Rome"),
        ("--merchant", "1", "--number", "1", "--at", "2026-03-09"),
        ("--at", "2026-03-09", "--to", "2026-03-10"),
        ("--merchant", "1", "--number", "1", "--list", "3"),
        ("--at", "2026-03-09", "--html", "--json"),
        ("--at", "2026-03-09", "--list", "2", "--out", "x.html"),
        ("--at", "2026-03-09", "--json", "--out", "-"),
        ("--at", "2026-03-09", "--overwrite"),
    ],
)
def test_what_does_not_go_together(run: Run, words: tuple[str, ...]) -> None:
    assert explain(run, *words).exit_code == 2
