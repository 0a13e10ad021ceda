"""PASS seals a bundle that vouches for every byte; FAIL leaves a report and never a bundle."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from seg5b.contracts import ContractSource
from seg5b.errors import PublishError, ValidationFailure
from seg5b.gate import open_gate
from seg5b.publish import Outcome
from seg5b.validation import Status, ValidationOutcome, validate, verify_validation_bundle
from tests.validation.faults import arrivals, flip, shift, tables
from tests.validation.harness import Run, at, edit, put, swap
from tests.worlds import copy_run

REPORT_FIELDS = [
    "manifest_fingerprint",
    "spec_version",
    "status",
    "n_parameter_hashes",
    "n_scenarios",
    "n_seeds",
    "n_buckets_total",
    "n_buckets_nonzero",
    "n_arrivals_total",
    "n_arrivals_physical",
    "n_arrivals_virtual",
    "counts_match_s3",
    "time_windows_ok",
    "civil_time_ok",
    "civil_time_gate_ok",
    "calibration_gate_ok",
    "routing_ok",
    "schema_partition_pk_ok",
    "rng_accounting_ok",
    "bundle_integrity_ok",
    "sampling",
    "checks",
]


def judged(run: Run, **options: Any) -> ValidationOutcome:
    return validate(run.root, run.contracts, run.gate, **options)


def bundle_of(outcome: ValidationOutcome) -> Path:
    """The bundle of a pass."""
    assert outcome.bundle_path is not None
    return outcome.bundle_path


@pytest.fixture(scope="module")
def sealed(plain: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, ValidationOutcome]:
    """A run with its bundle. Copy it before damaging it."""
    root = copy_run(plain.root.path.parent, tmp_path_factory.mktemp("sealed"))
    run = Run(root, plain.contracts, open_gate(root, plain.contracts, state="S5"))
    return run, judged(run)


def test_pass_publishes_a_bundle_in_the_contracted_form(sealed: tuple[Run, ValidationOutcome]) -> None:
    run, outcome = sealed
    assert outcome.status == "PASS" and outcome.failure() is None and outcome.failed_path is None
    bundle = bundle_of(outcome)
    index = json.loads((bundle / "index.json").read_bytes())
    paths = [entry["path"] for entry in index["entries"]]
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert paths == sorted(paths) and set(paths) == files - {"index.json", "_passed.flag"}
    assert {"validation_report_5B.json", "validation_issue_table_5B.parquet"} <= set(paths)
    joined = hashlib.sha256()
    for entry in index["entries"]:
        content = (bundle / entry["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256_hex"]
        joined.update(content)
    flag = {"bundle_digest_sha256": joined.hexdigest(), "manifest_fingerprint": run.root.identity.manifest_fingerprint}
    assert (bundle / "_passed.flag").read_text() == json.dumps(flag, separators=(",", ":"), sort_keys=True)
    assert outcome.bundle_digest == joined.hexdigest()


def test_report_says_everything_and_nothing_about_places(sealed: tuple[Run, ValidationOutcome]) -> None:
    run, outcome = sealed
    raw = (bundle_of(outcome) / "validation_report_5B.json").read_bytes()
    report = json.loads(raw)
    assert [name for name in REPORT_FIELDS if name not in report] == []
    assert (report["n_parameter_hashes"], report["n_scenarios"], report["n_seeds"]) == (1, 1, 1)
    assert report["n_arrivals_total"] == report["n_arrivals_physical"] + report["n_arrivals_virtual"] > 0
    assert len(report["checks"]) == len(outcome.checks)
    assert raw == json.dumps(report, sort_keys=True, separators=(",", ":")).encode()
    for member in bundle_of(outcome).rglob("*.json*"):
        assert str(run.root.path.parent).encode() not in member.read_bytes(), member


def test_issue_table_has_its_columns_even_when_empty(sealed: tuple[Run, ValidationOutcome]) -> None:
    _, outcome = sealed
    table = pq.read_table(bundle_of(outcome) / "validation_issue_table_5B.parquet")
    assert table.num_rows == len(outcome.issues)
    assert table.column_names[:5] == ["manifest_fingerprint", "parameter_hash", "seed", "scenario_id", "issue_code"]


def test_a_second_run_changes_nothing(sealed: tuple[Run, ValidationOutcome]) -> None:
    run, outcome = sealed
    before = {path: path.read_bytes() for path in bundle_of(outcome).rglob("*") if path.is_file()}
    again = judged(run, threads=1)
    assert (again.published, again.bundle_digest) == (Outcome.UNCHANGED, outcome.bundle_digest)
    assert {path: path.read_bytes() for path in bundle_of(outcome).rglob("*") if path.is_file()} == before
    assert list((run.root.path / "tmp").iterdir()) == [run.root.kept()]


def test_digest_does_not_depend_on_the_place(
    plain: Run, sealed: tuple[Run, ValidationOutcome], copied: Callable[[Run], Run]
) -> None:
    assert judged(copied(plain), threads=1).bundle_digest == sealed[1].bundle_digest


def test_a_bundle_with_other_content_is_not_replaced(
    sealed: tuple[Run, ValidationOutcome], copied: Callable[[Run], Run]
) -> None:
    run = copied(sealed[0])
    report = run.path("validation_bundle_5B") / "validation_report_5B.json"
    report.write_bytes(report.read_bytes().replace(b"PASS", b"FAIL", 1))
    with pytest.raises(PublishError) as caught:
        judged(run)
    assert caught.value.code == "5B.S5.IO_WRITE_CONFLICT"


def test_a_bundle_of_other_files_is_not_set_aside(
    sealed: tuple[Run, ValidationOutcome], copied: Callable[[Run], Run]
) -> None:
    """It is sound, but its list of files is not that of what lies there now."""
    run = copied(sealed[0])
    bundle = run.path("validation_bundle_5B")
    listing = bundle / "evidence/s5/published_files.json"
    listing.write_bytes(listing.read_bytes().replace(b'"sha256_hex":"', b'"sha256_hex":"0', 1))
    members = sorted(
        path for path in bundle.rglob("*") if path.is_file() and path.name not in ("index.json", "_passed.flag")
    )
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in members)).hexdigest()
    flag = bundle / "_passed.flag"
    flag.write_text(flag.read_text("utf-8").replace(sealed[1].bundle_digest, digest), "utf-8")
    with pytest.raises(PublishError, match="IO_WRITE_CONFLICT"):
        judged(run)


def test_failure_publishes_no_bundle_and_a_repair_passes(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    part = run.path("arrival_events_5B", 1)
    sound = part.read_bytes()
    arrivals(put("ts_utc", lambda old: old + 3_600_000_000, at(9)))(run)
    outcome = judged(run)
    failure = outcome.failure()
    assert isinstance(failure, ValidationFailure) and failure.code == "5B.S5.TIME_WINDOW_VIOLATION"
    assert outcome.report["error_code"] == "S5_VALIDATION_FAILED"
    assert failure.code in outcome.report["failure_codes"]
    assert not outcome.report["time_windows_ok"] and outcome.report["rng_accounting_ok"]
    assert outcome.bundle_path is None and not run.path("validation_bundle_5B").exists()
    failed = outcome.failed_path
    assert failed is not None and failed.name == "1"
    assert sorted(path.name for path in failed.iterdir()) == [
        "validation_issue_table_5B.parquet",
        "validation_report_5B.json",
    ]
    assert judged(run).failed_path == failed
    issues = pq.read_table(failed / "validation_issue_table_5B.parquet").to_pylist()
    named = next(row for row in issues if row["issue_code"] == failure.code)
    assert json.loads(named["context"])["check_id"] == "s4.time_window"
    tables("s4_arrival_summary_5B", swap(1, 2))(run)
    assert judged(run).failed_path == failed.with_name("2")
    part.write_bytes(sound)
    shutil.copyfile(plain.path("s4_arrival_summary_5B"), run.path("s4_arrival_summary_5B"))
    assert judged(run).status == "PASS"


def _one_site_for_another(run: Run) -> None:
    """Every value is legal and every rule holds: a merchant's site takes an arrival of another of its zone."""
    path = run.path("arrival_events_5B", 1)
    rows = pq.read_table(path, columns=["merchant_id", "tzid_primary", "site_id", "is_virtual"]).to_pylist()
    seen: dict[tuple[int, str], int] = {}
    for row, values in enumerate(rows):
        if not values["is_virtual"]:
            site = seen.setdefault((values["merchant_id"], values["tzid_primary"]), values["site_id"])
            if site != values["site_id"]:
                edit(path, put("site_id", site, at(row)))
                return
    raise AssertionError("no zone with two sites")


def _same_rows_encoded_again(run: Run) -> None:
    path = run.path("s3_bucket_counts_5B")
    pq.write_table(pq.read_table(path, partitioning=None), path, compression="NONE")


def _another_part(run: Run) -> None:
    path = run.path("arrival_events_5B")
    (path.parent / "notes.txt").write_text("not ours")


def _another_weekend(run: Run) -> None:
    edit(run.path("s1_time_grid_5B"), put("is_weekend", lambda old: not old, at(9)))


@pytest.mark.parametrize(
    ("change", "noticed_before"),
    [
        (_one_site_for_another, []),
        (_same_rows_encoded_again, []),
        (_another_part, ["outputs.nothing_else"]),
        (_another_weekend, ["s1.grid_annotations"]),
    ],
)
def test_a_file_that_is_not_what_was_published_fails(
    plain: Run, copied: Callable[[Run], Run], change: Callable[[Run], None], noticed_before: list[str]
) -> None:
    """Also where another check noticed it already: that one says what is wrong, and comes first."""
    run = copied(plain)
    change(run)
    outcome = judged(run)
    failed = [result.check_id for result in outcome.checks if result.status is Status.FAIL]
    assert failed == [*noticed_before, "outputs.as_published"]
    assert isinstance(failure := outcome.failure(), ValidationFailure)
    assert failure.code == next(result.code for result in outcome.checks if result.check_id == failed[0])
    assert "5B.S5.PUBLISHED_FILE_CHANGED" in outcome.report["failure_codes"]
    assert not outcome.report["bundle_integrity_ok"] and outcome.bundle_path is None


def test_without_run_records_nobody_tells_what_was_published(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    shutil.rmtree(run.root.path / "reports")
    outcome = judged(run)
    told = next(result for result in outcome.checks if result.check_id == "outputs.as_published")
    assert told.status is Status.NOT_APPLICABLE and "no run record" in told.reason
    assert outcome.status == "PASS"


def test_warnings_beyond_the_policy_fail(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    edit(run.path("s4_arrival_anomalies_5B"), put("severity", "WARN", at(0)))
    outcome = judged(run)
    assert outcome.status == "FAIL" and "5B.S5.WARNINGS_EXCEED_LIMIT" in outcome.report["failure_codes"]
    warned = next(result for result in outcome.checks if result.check_id == "anomalies.none_warned")
    assert warned.status is Status.WARN


def test_weekends_of_moved_clocks_are_reported(plain: Run, copied: Callable[[Run], Run]) -> None:
    """No check asks for it, since the clocks' own notice first; the report states it all the same."""

    def stated(outcome: ValidationOutcome) -> tuple[float, bool]:
        sentinels = outcome.report["sampling"]["calibration_sentinels"]
        return sentinels["metrics"]["weekend_share_delta_pp"], sentinels["gates"]["weekend_share_delta"]

    run = copied(plain)
    assert stated(judged(run)) == (0.0, True)
    for part in sorted(run.path("arrival_events_5B").parent.glob("*.parquet")):
        edit(part, *shift(2 * 1440, None))
    delta_pp, held = stated(judged(run))
    assert delta_pp > 0.2 and not held


def test_missing_evidence_of_the_layout_policy_fails(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    run.path("sealed_content_5B").unlink()
    outcome = judged(run)
    codes = {result.code for result in outcome.checks if result.status is Status.FAIL}
    assert "5B.S5.BUNDLE_MEMBER_MISSING_OR_HASH_MISMATCH" in codes
    assert not outcome.report["bundle_integrity_ok"]


def test_verify_holds(sealed: tuple[Run, ValidationOutcome]) -> None:
    run, outcome = sealed
    report = verify_validation_bundle(run.root, run.contracts)
    assert report.ok and report.bundle_digest == outcome.bundle_digest and report.size_bytes > 10**6


def _everything(run: Run) -> list[Path]:
    data, logs = run.root.path / "data", run.root.path / "logs"
    listed = {path for path in (*data.rglob("*"), *logs.rglob("*")) if path.is_file()}
    vouched = [path for path in listed if "layer2/5B" in path.as_posix()]
    return sorted(vouched) + [run.gate.files(name)[0] for name in ("site_timezones", "arrival_rng_policy_5B")]


def test_verify_names_any_flipped_byte(sealed: tuple[Run, ValidationOutcome], copied: Callable[[Run], Run]) -> None:
    run = copied(sealed[0])
    files = _everything(run)
    assert len(files) > 25
    for path in files:
        sound = path.read_bytes()
        places = (
            range(len(sound)) if path.name in ("index.json", "_passed.flag") else (0, len(sound) // 2, len(sound) - 1)
        )
        own = path.relative_to(run.root.path).as_posix()
        for place in places[:: max(1, len(places) // 40)]:
            path.write_bytes(flip(place)(sound))
            report = verify_validation_bundle(run.root, run.contracts, threads=1)
            named = {problem.path for problem in report.problems}
            assert own in named or any(own.endswith(name) for name in named), (own, place, report.problems)
        path.write_bytes(sound)
    assert verify_validation_bundle(run.root, run.contracts).ok


def test_verify_names_what_is_missing_and_what_is_new(
    sealed: tuple[Run, ValidationOutcome], copied: Callable[[Run], Run]
) -> None:
    run = copied(sealed[0])
    gone = run.path("arrival_events_5B", 2)
    gone.unlink()
    (gone.parent / "part-000099.parquet").write_bytes(b"x")
    (run.path("validation_bundle_5B") / "note.txt").write_bytes(b"x")
    problems = {
        (Path(problem.path).name, problem.code)
        for problem in verify_validation_bundle(run.root, run.contracts).problems
    }
    assert problems == {
        ("part-000002.parquet", "5B.S5.PUBLISHED_FILE_CHANGED"),
        ("part-000099.parquet", "5B.S5.PUBLISHED_FILE_CHANGED"),
        ("note.txt", "5B.S5.BUNDLE_INDEX_INVALID"),
        ("index.json", "5B.S5.BUNDLE_INDEX_INVALID"),
    }


def test_verify_without_a_bundle_says_so(plain: Run) -> None:
    report = verify_validation_bundle(plain.root, plain.contracts)
    assert not report.ok and report.bundle_digest == ""


def test_several_scenarios(tiny_arrivals: Path, tmp_path: Path) -> None:
    root, contracts = copy_run(tiny_arrivals, tmp_path), ContractSource.packaged()
    gate = open_gate(root, contracts, state="S5")
    seen: list[tuple[str, int, int]] = []
    outcome = validate(root, contracts, gate, progress=lambda *step: seen.append(step))
    assert outcome.status == "PASS", outcome.failure()
    assert outcome.metrics["n_scenarios"] == len(gate.scenario_ids) == 2
    assert seen and all(done <= total for _, done, total in seen)
    assert verify_validation_bundle(root, contracts).ok
