"""What the page says follows from what it found: planted faults show, missing parts are named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from seg5b.cli.report import report
from seg5b.contracts import ContractSource
from seg5b.errors import PublishError, RunError
from seg5b.page import write_page
from seg5b.page.facts.verdict import sentinel_board
from seg5b.run_tables.outputs import dataset_path
from seg5b.runs.root import open_root
from tests.page.conftest import SCENARIO, Page, change_arrivals, draw, visible


def test_a_sound_run(page: Page) -> None:
    titles = page.titles()
    assert titles["arrivals-by-day"].startswith("Arrivals are within chance")
    assert titles["clocks-by-zone"].startswith("No wall clock is wrong")
    assert not {"differences", "clock-errors"} & titles.keys()
    assert "States and clocks agree" in visible(page.text)
    assert {line[-1] for line in page.laws().values()} == {"✓"}


def test_lost_arrivals_show(copy: Path) -> None:
    change_arrivals(copy, lambda table: table.slice(5))
    page = draw(copy)
    laws = page.laws()
    assert laws["arrivals of S4 minus counts of S3"] == ["-5", "0", "✗"]
    differing = sum(row["keys"] for row in page.rows("differences") if row["difference"])
    assert differing > 0
    assert laws["of these, keys whose arrivals in S4 are not S3's count"] == [str(differing), "0", "✗"]
    assert page.titles()["differences"].startswith(f"{differing} key")
    assert "2 laws broken" in visible(page.text)


def test_shifted_clocks_show(copy: Path) -> None:
    def shift(table: pa.Table) -> pa.Table:
        late = pc.add(table["ts_local_primary"], pa.scalar(3_600_000_000, pa.duration("us")))
        place = table.schema.get_field_index("ts_local_primary")
        return table.set_column(place, table.schema.field(place), late)

    change_arrivals(copy, shift)
    page = draw(copy)
    (wrong,) = [row["arrivals"] for row in page.rows("clock-errors") if row["error"] == "+3,600 s"]
    laws = page.laws()
    assert laws["wall clocks that are not UTC plus the zone's offset"] == [f"{wrong:,}", "0", "✗"]
    assert laws["arrivals written into another local hour"] == [f"{wrong:,}", "0", "✗"]
    assert page.titles()["clock-errors"].startswith(f"{wrong:,} wall clock")
    assert sum(row["wrong"] for row in page.rows("clocks-by-zone")) > 0
    assert "some clocks wrong" in {row["state"] for row in page.rows("clocks-by-zone")}


def test_unknown_zones_show(copy: Path) -> None:
    def rename(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index("tzid_primary")
        names = pa.array(["Nowhere/At_All"] * table.num_rows).dictionary_encode()
        return table.set_column(place, table.schema.field(place), names)

    change_arrivals(copy, rename)
    page = draw(copy)
    (unknown,) = [row["arrivals"] for row in page.rows("clock-errors") if row["error"] == "unknown zone"]
    assert page.laws()["arrivals in zones that the database does not know"] == [f"{unknown:,}", "0", "✗"]
    assert "Nowhere/At_All" in page.text
    assert f"{unknown:,} arrivals are in zones that have no place" in visible(page.text)


def test_without_validation_and_gateboard(page: Page) -> None:
    words = visible(page.text)
    assert "S5 has not run" in words
    assert "– not validated" in words
    assert "no gate was measured" in words
    assert page.written.verdict == ""


@pytest.mark.parametrize("status", ["PASS", "FAIL"])
def test_with_a_validation_report(copy: Path, status: str) -> None:
    root, contracts = open_root(copy), ContractSource.packaged()
    path = dataset_path(root, contracts, "validation_report_5B")
    if status == "FAIL":
        path = root.path / "data/layer2/5B/validation_failed" / path.parent.name / "2" / path.name
    _write(path, {**_REPORT, "status": status})
    page = draw(copy)
    words = visible(page.text)
    assert page.written.verdict == status
    assert f"{'✓' if status == 'PASS' else '✗'} {status}" in words
    assert "1 check holds, 1 failed, 0 warnings, 1 not applicable" in words
    assert "clocks are &lt;right&gt;" in words
    assert re.search(r"T6 .* 80% +≤ 72% +✗ outside", " ".join(words.split()))


_REPORT = {
    "routing_ok": True,
    "checks": [
        {"check_id": "a", "status": "PASS", "states": "all is well"},
        {"check_id": "b", "status": "FAIL", "states": "clocks are <right>", "violation_count": 3},
        {"check_id": "c", "status": "NOT_APPLICABLE", "states": "never mind", "reason": "nothing to see"},
    ],
    "sampling": {
        "mode": "full",
        "calibration_sentinels": {
            "metrics": {"top10_tz_share": 0.8},
            "thresholds": {"top10_tz_share_max": 0.72, "virtual_share_bounds": [0.03, 0.08]},
            "gates": {"top10_tz_share": False},
        },
    },
}


@pytest.mark.parametrize(
    ("held", "target", "judged"),
    [
        ({"residual_law": True, "residual_std": None}, "law ± 5 standard errors", True),
        ({"residual_law": True, "residual_std": False}, "law ± 5 standard errors; 1.2 – 1.6", False),
        ({"residual_law": False, "residual_std": None}, "law ± 5 standard errors", False),
    ],
)
def test_the_scatter_of_counts_stands_beside_its_law(held: dict[str, bool], target: str, judged: bool) -> None:
    metrics = {"residual_std": 1.0306, "residual_std_expected": 1.0298, "residual_std_se": 0.0017}
    sentinels = {"metrics": metrics, "thresholds": {"residual_std_bounds": [1.2, 1.6]}, "gates": held}
    row = sentinel_board({"sampling": {"calibration_sentinels": sentinels}}).gates[-1]
    assert (row.gate_id, row.value) == ("T9", "1.031 (law 1.03 ± 0.0017)")
    assert (row.target, row.held) == (target, judged)


def test_the_scatter_in_a_report_of_an_earlier_release() -> None:
    sentinels = {"metrics": {"residual_std": 1.4}, "thresholds": {"residual_std_bounds": [1.2, 1.6]}}
    row = sentinel_board({"sampling": {"calibration_sentinels": {**sentinels, "gates": {"residual_std": True}}}}).gates[
        -1
    ]
    assert (row.value, row.target, row.held) == ("1.4", "1.2 – 1.6", True)


def test_with_a_gateboard(copy: Path) -> None:
    folder = open_root(copy).path / "reports/layer2/realism/segment=5B"
    gate: dict[str, Any] = {
        "title": "zones & places",
        "class": "major",
        "b_target": "<= 0.72",
        "bplus_target": "<= 0.62",
    }
    gate |= {"value_fmt": "54.08%", "b_pass": True, "bplus_pass": False}
    _write(folder / "gateboard.json", {"generated_utc": "1", "gates": {"T6": {**gate, "value_fmt": "old"}}})
    newer: dict[str, Any] = {
        "generated_utc": "2",
        "gates": {
            "T6": gate,
            "T8": {"b_pass": True, "bplus_pass": True, "verdict": "BLOCKED"},
            "T10": {"b_pass": False, "verdict": "PENDING"},
        },
    }
    _write(folder / "gateboard_p2.json", {**newer, "summary": {"phase_grade": "PASS_B_CANDIDATE"}})
    _write(folder / "broken_gateboard.json", ["not", "a", "board"])
    (folder / "worse_gateboard.json").write_text("{")
    words = visible(draw(copy).text)
    assert "zones &amp; places" in words
    assert "54.08% ≤ 72% ≤ 62%" in " ".join(words.split()), "bounds in the unit of the value"
    assert "old" not in words.split()
    assert words.count("✓ B") == 1 and words.count("– open") == 2, "what is blocked or pending has passed nothing"
    assert "PASS_B_CANDIDATE" in words


def test_a_verdict_on_other_files_is_marked(copy: Path) -> None:
    path = dataset_path(open_root(copy), ContractSource.packaged(), "validation_report_5B")
    _write(path, {**_REPORT, "status": "PASS", "n_arrivals_total": 7})
    assert "but S5 saw 7 arrivals" in visible(draw(copy).text)


def test_text_of_others_cannot_break_the_page(copy: Path) -> None:
    path = dataset_path(open_root(copy), ContractSource.packaged(), "validation_report_5B")
    check = {"check_id": "</script><b>", "status": "WARN", "states": "\"'<&>", "violation_count": 1}
    _write(path, {"status": "PASS", "checks": [check], "sampling": "odd"})
    assert draw(copy).tree().tag == "html"


def test_a_run_without_arrivals(tiny_world: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        write_page(open_root(tiny_world), ContractSource.packaged(), tmp_path / "page.html")
    assert caught.value.code == "5B.PAGE.DATASET_MISSING"
    assert "seg5b run" in caught.value.remedy


def test_a_scenario_whose_arrivals_are_gone(copy: Path) -> None:
    root, contracts = open_root(copy), ContractSource.packaged()
    for part in dataset_path(root, contracts, "arrival_events_5B", SCENARIO).glob("*.parquet"):
        pq.write_table(pq.read_table(part, partitioning=None).slice(0, 0), part)
    page = draw(copy)
    laws = page.laws()
    compared = laws["keys that hold anything, compared"][0]
    assert compared == laws["of these, keys whose arrivals in S4 are not S3's count"][0] != "0"
    assert page.rows("map") == page.rows("inter-arrival") == []
    assert page.tree().tag == "html"


def test_a_place_that_cannot_be_written(tiny_arrivals: Path, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"5B\.EXPORT\.NO_FOLDER"):
        draw(tiny_arrivals, tmp_path / "none" / "report.html")


def test_nothing_is_written_into_a_run_and_nothing_replaced_unasked(copy: Path, tmp_path: Path) -> None:
    root, contracts = open_root(copy), ContractSource.packaged()
    with pytest.raises(PublishError, match=r"5B\.EXPORT\.TARGET_IN_RUN"):
        write_page(root, contracts, root.path / "reports" / "report.html")
    out = tmp_path / "report.html"
    out.write_text("old")
    with pytest.raises(PublishError, match=r"5B\.EXPORT\.TARGET_EXISTS"):
        write_page(root, contracts, out)
    assert out.read_text() == "old"
    assert write_page(root, contracts, out, overwrite=True).path == out
    assert out.read_text().startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["report.html"]


def test_command(tiny_arrivals: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    result = CliRunner().invoke(report, ["--runs-root", str(tiny_arrivals), "--out", str(out), "--json"])
    payload = json.loads(result.stdout)
    assert (result.exit_code, payload["ok"], payload["path"]) == (0, True, str(out))
    assert payload["size_bytes"] == out.stat().st_size
    assert payload["verdict"] is None
    assert "Example: seg5b report" in CliRunner().invoke(report, ["--help"]).output


def _write(path: Path, fields: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fields))
