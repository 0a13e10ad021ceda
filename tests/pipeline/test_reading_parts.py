"""Datasets of one row per series and bucket are read from a folder of parts as from one file (law L13)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from seg5b import api
from seg5b.cli import main
from seg5b.digests import dataset_digests
from seg5b.errors import Seg5bError
from seg5b.explain import explain_arrival
from seg5b.gate import open_gate
from seg5b.hashing import sha256_file, sha256_hex
from seg5b.options import Options
from seg5b.page.report import write_page
from seg5b.pipeline import run_states
from seg5b.realism import board_json, score_run
from seg5b.run_tables import open_run_tables, scenario_tables
from seg5b.validation import CHECKS, validate, verify_validation_bundle
from seg5b.world.plan import BASELINE
from tests.splitting import split
from tests.validation.harness import Run
from tests.worlds import copy_run

INTENSITY, COUNTS, SUMMARY = "s2_realised_intensity_5B", "s3_bucket_counts_5B", "s4_arrival_summary_5B"


@pytest.fixture(scope="module")
def parted(plain: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The world to judge, with the outputs of S2 and S3 and the summary in three parts each. Read it, never write to it."""
    root = copy_run(plain.root.path.parent, tmp_path_factory.mktemp("parted"))
    for dataset_id in (INTENSITY, COUNTS, SUMMARY):
        split(root, plain.contracts, dataset_id, BASELINE)
    return Run(root, plain.contracts, open_gate(root, plain.contracts, state="S5"))


def recomputed(run: Run, state: str) -> str:
    """Run a state again; what it publishes is compared with what lies there, and other bytes would be a conflict."""
    (result,) = run_states(run.root, run.contracts, (state,), options=Options(recompute=True)).states
    assert result.record["recomputed"]
    return str(result.record["status"])


def test_parts_hold_the_rows_of_the_file(plain: Run, parted: Run) -> None:
    for dataset_id in (INTENSITY, COUNTS, SUMMARY):
        files = sorted(parted.path(dataset_id).iterdir())
        assert len(files) == 3 and all(pq.ParquetFile(file).num_row_groups > 1 for file in files)
        one, other = (api.Run(run.root, run.contracts).table(dataset_id, BASELINE) for run in (plain, parted))
        for name in one.column_names:
            assert plain_values(one[name]).equals(plain_values(other[name])), (dataset_id, name)


def plain_values(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece, texts as such."""
    return (column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column).combine_chunks()


def test_s3_makes_the_same_counts_from_parts(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    split(run.root, run.contracts, INTENSITY, BASELINE)
    assert recomputed(run, "S3") == "PASS"


def test_s4_makes_the_same_arrivals_from_parts(ornate: Run, copied: Callable[[Run], Run]) -> None:
    """With the intensity of each arrival, so that both columns are read by block."""
    run = copied(ornate)
    split(run.root, run.contracts, COUNTS, BASELINE)
    assert recomputed(run, "S4") == "PASS"


def test_finished_states_are_recognised_by_their_parts(plain: Run, copied: Callable[[Run], Run]) -> None:
    """S2 and its parts are as recorded: nothing is computed. Something else among them: it is."""
    run = copied(plain)
    folder = split(run.root, run.contracts, INTENSITY, BASELINE)
    assert not run_states(run.root, run.contracts, ("S2",)).states[0].record["recomputed"]
    (folder / "part-000003.parquet").write_bytes(b"")
    with pytest.raises(Seg5bError, match="IO_WRITE_CONFLICT"):
        run_states(run.root, run.contracts, ("S2",))


def test_rows_are_numbered_over_all_parts(plain: Run, parted: Run) -> None:
    found = []
    for run in (plain, parted):
        with open_run_tables(run.root, run.contracts, label="test", gate=run.gate) as subject:
            subject = scenario_tables(subject, run.gate.scenarios[0])
            key = "merchant_id, zone_representation, channel_group, bucket_index"
            sums = [
                f"SELECT '{table}', count(*), sum(position), bit_xor(hash(position, {key})) FROM {table}"
                for table in ("intensity", "counts", "summary")
            ]
            found.append(subject.rows(" UNION ALL ".join(sums)))
    assert found[0] == found[1]


@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_s5_finds_the_same(plain: Run, parted: Run, mode: str) -> None:
    one, other = plain.judge(CHECKS, mode=mode), parted.judge(CHECKS, mode=mode)
    for check_id, result in other.items():
        assert (result.status, result.keys) == (one[check_id].status, one[check_id].keys), (check_id, result.reason)


def test_a_bundle_seals_every_part(parted: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(parted)
    outcome = validate(run.root, run.contracts, run.gate)
    assert outcome.status == "PASS" and verify_validation_bundle(run.root, run.contracts).ok
    assert outcome.bundle_path is not None
    listed = json.loads((outcome.bundle_path / "evidence/s5/published_files.json").read_bytes())
    paths = [entry["path"] for entry in listed["files"] if entry["dataset_id"] == COUNTS]
    assert [Path(path).name for path in paths] == [f"part-{number:06d}.parquet" for number in range(3)]
    part = run.path(COUNTS) / "part-000001.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert [problem.path for problem in verify_validation_bundle(run.root, run.contracts).problems] == [paths[1]]


def test_explanations_hold(plain: Run, parted: Run) -> None:
    merchants = api.Run(plain.root, plain.contracts).table("arrival_events_5B", BASELINE, ["merchant_id"])[0]
    for merchant in (merchants[0].as_py(), merchants[-1].as_py()):
        one, other = (explain_arrival(run.root, run.contracts, merchant, 7) for run in (plain, parted))
        assert other.holds and other.as_dict() == one.as_dict()


def test_scores_are_the_same(plain: Run, parted: Run) -> None:
    """To 12 digits: the order in which threads add up floats is not fixed, whatever the files. What is derived again looks at the
    ends of files too, so T14 tells other numbers of rows."""
    boards = [json.dumps(board_json(score_run(run.root, run.contracts))["gates"]) for run in (plain, parted)]
    one, other = (json.loads(board, parse_float=lambda text: f"{float(text):.12g}") for board in boards)
    for own in (one["T14"], other["T14"]):
        assert own["value"].pop("rederived_counts") > 0 and own.pop("value_fmt")
        del own["value"]["rederived_factors"], own["value"]["rederived_arrivals"]
    assert one == other


def test_the_page_is_drawn(plain: Run, parted: Run, tmp_path: Path) -> None:
    one, other = (
        write_page(run.root, run.contracts, out=tmp_path / f"{k}.html") for k, run in enumerate((plain, parted))
    )
    assert one.path.read_bytes() == other.path.read_bytes()


def test_export_is_the_same(plain: Run, parted: Run, tmp_path: Path) -> None:
    texts = []
    for place, run in enumerate((plain, parted)):
        out = tmp_path / f"counts-{place}.csv"
        found = exported(run, out)
        assert found.exit_code == 0, found.stderr
        texts.append(out.read_bytes())
    assert texts[0] == texts[1]


def exported(run: Run, out: Path) -> Any:
    arguments = ["export", "--runs-root", str(run.root.path.parent), "--dataset", COUNTS, "--out", str(out)]
    return CliRunner().invoke(main, arguments)


def test_digests_differ_only_where_the_files_do(plain: Run, parted: Run) -> None:
    """A digest is over files and their names, of arrivals as of all others."""
    one, other = (dataset_digests(run.root, run.contracts) for run in (plain, parted))
    assert {name for name in one if one[name] != other[name]} == {INTENSITY, COUNTS, SUMMARY}
    assert one.keys() == other.keys()
    parts = sorted(parted.path(COUNTS).iterdir())
    lines = [f"{file.relative_to(file.parents[2]).as_posix()} {sha256_file(file)}\n" for file in parts]
    assert other[COUNTS] == sha256_hex("".join(lines).encode())


# ---------------------------------------------------------------------------------------------- damage


def _missing(folder: Path) -> Path:
    file = folder / "part-000001.parquet"
    file.unlink()
    return file


def _stray(folder: Path) -> Path:
    file = folder / "part-000001.parquet.partial"
    file.write_bytes(b"")
    return file


def _subfolder(folder: Path) -> Path:
    file = folder / "part-000003.parquet"
    file.mkdir()
    return file


def _truncated(folder: Path) -> Path:
    file = folder / "part-000001.parquet"
    file.write_bytes(file.read_bytes()[:-500])
    return file


def _empty(folder: Path) -> Path:
    for file in folder.iterdir():
        file.unlink()
    return folder


def _without_the_last(folder: Path) -> Path:
    (folder / "part-000002.parquet").unlink()
    return folder


DAMAGES = {"missing": _missing, "stray": _stray, "subfolder": _subfolder, "truncated": _truncated, "empty": _empty}


@pytest.mark.parametrize("damage", [*DAMAGES, "without the last"])
def test_states_refuse_damaged_parts(parted: Run, copied: Callable[[Run], Run], damage: str) -> None:
    run = copied(parted)
    for dataset_id, state, code in (
        (COUNTS, "S4", "5B.S4.DOMAIN_ALIGN_FAILED"),
        (INTENSITY, "S3", "5B.S3.S2_OUTPUT_MISSING"),
    ):
        where = {**DAMAGES, "without the last": _without_the_last}[damage](run.path(dataset_id))
        with pytest.raises(Seg5bError) as failure:
            run_states(run.root, run.contracts, (state,))
        assert (failure.value.code, failure.value.where) == (code, str(where)) and failure.value.remedy


@pytest.mark.parametrize("damage", DAMAGES)
def test_readers_refuse_damaged_parts(parted: Run, copied: Callable[[Run], Run], tmp_path: Path, damage: str) -> None:
    run = copied(parted)
    where = DAMAGES[damage](run.path(COUNTS))
    readers: dict[str, Callable[[], Any]] = {
        "table": lambda: api.Run(run.root, run.contracts).table(COUNTS, BASELINE),
        "explain": lambda: explain_arrival(run.root, run.contracts, 1, 1),
        "score": lambda: score_run(run.root, run.contracts),
        "page": lambda: write_page(run.root, run.contracts, out=tmp_path / "page.html"),
    }
    for name, read in readers.items():
        with pytest.raises(Seg5bError) as failure:
            read()
        assert (failure.value.code, failure.value.where) == ("5B.RUN.DATASET_INCOMPLETE", str(where)), name
        assert failure.value.remedy
    told = exported(run, tmp_path / "out.csv").stderr
    assert (
        "5B.QUERY.FAILED" if damage == "truncated" else "5B.EXPORT.DATASET_INCOMPLETE"
    ) in told and where.name in told


@pytest.mark.parametrize("damage", DAMAGES)
def test_s5_fails_on_damaged_parts(parted: Run, copied: Callable[[Run], Run], damage: str) -> None:
    run = copied(parted)
    DAMAGES[damage](run.path(COUNTS))
    results = run.judge([check for check in CHECKS if check.check_id in ("s3.parts", "outputs.readable")])
    assert results["outputs.readable"].status.value == "FAIL"
    assert results["s3.parts"].status.value == "FAIL"
