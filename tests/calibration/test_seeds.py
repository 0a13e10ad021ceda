"""Seeds that a world was not made with: their datasets, the runs of them, and what is refused."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from seg5b.calibration import CandidateRunner, Derived, certify, derive_run, seeds
from seg5b.digests import dataset_digests
from seg5b.errors import PublishError, RunError
from seg5b.hashing import sha256_hex, tree_digests
from seg5b.places import PLACES, place_table, write_places
from seg5b.resources import resource_root
from seg5b.runs.root import RunRoot, latest_run_id, open_root
from seg5b.world import World
from tests.policies import change_policies
from tests.worlds import OWN, make_own

LARGEST = 2**64 - 1
NOT_IN_WORLD = r"5B\.CALIBRATION\.SEED_NOT_IN_WORLD"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> RunRoot:
    """A world of one seed under the law derived_v1. Derived runs may lie beside it."""
    return make_own(tmp_path_factory.mktemp("own"))


@pytest.fixture
def copied(own: RunRoot, tmp_path: Path) -> RunRoot:
    """A copy of that world alone, to be changed."""
    shutil.copytree(own.path, tmp_path / "runs" / own.path.name)
    return open_root(tmp_path / "runs")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> RunRoot:
    """The same world, made with two seeds."""
    return make_own(tmp_path_factory.mktemp("both"), seeds=(42, 7))


def _of_seed(root: RunRoot, seed: int) -> dict[str, str]:
    """Digests of a seed's datasets by path; members of upstream bundles are none."""
    found = {name: digest for name, digest in tree_digests(root.path / "data").items() if f"seed={seed}/" in name}
    return {name: digest for name, digest in found.items() if "/validation/" not in name and "s7_audit" not in name}


def test_datasets_made_later_are_those_of_a_world_made_with_the_seed(
    own: RunRoot, both: RunRoot, runner: CandidateRunner
) -> None:
    before = tree_digests(own.path)
    made = derive_run(own, runner.contracts, seed=7)
    assert tree_digests(own.path) == before, "nothing of the base is touched"
    assert made.states[0] == "S0" and made.root.identity.seed == 7
    assert len(_of_seed(both, 7)) == 14
    assert _of_seed(made.root, 7) == _of_seed(both, 7)
    assert _of_seed(made.root, 42) == _of_seed(both, 42) == _of_seed(own, 42)
    assert derive_run(own, runner.contracts, seed=7) == made
    assert derive_run(own, runner.contracts, seed=42).root is own
    assert latest_run_id(own.path.parent) == own.identity.run_id


def test_its_run_has_the_arrivals_of_a_world_of_that_seed_alone(
    own: RunRoot, runner: CandidateRunner, tmp_path: Path
) -> None:
    made = derive_run(own, runner.contracts, seed=LARGEST)
    alone = make_own(tmp_path, seeds=(LARGEST,))
    digests = []
    for root in (made.root, alone):
        assert runner.realise(Derived(root, ("S0", "S1", "S2", "S3", "S4", "S5"))) == "PASS"
        digests.append(dataset_digests(root, runner.contracts))
    assert digests[0] == digests[1] and len(digests[0]) == 7


def test_receipts_and_ids_of_other_seeds_follow_the_law(both: RunRoot, runner: CandidateRunner) -> None:
    """docs/laws#derived-runs: no scenarios are named where all are realised."""
    made = derive_run(both, runner.contracts, seed=7)
    subject = ["seg5b.derived.v1", both.identity.run_id, "7", {}]
    receipt = json.loads((made.root.path / "run_receipt.json").read_text())
    assert made.root.identity.run_id == sha256_hex(json.dumps(subject, sort_keys=True).encode())[:32]
    assert receipt.keys() - both.receipt.keys() == {"derived_from", "derived_law", "derived_changes"}


def test_a_derived_run_may_be_a_base(own: RunRoot, both: RunRoot, runner: CandidateRunner) -> None:
    seven = derive_run(own, runner.contracts, seed=7).root
    again = derive_run(seven, runner.contracts, seed=8).root
    assert again.derived_from == seven.identity.run_id
    assert _of_seed(again, 8) == _of_seed(derive_run(own, runner.contracts, seed=8).root, 8) != {}


def test_a_panel_needs_no_world_of_its_seeds(own: RunRoot, runner: CandidateRunner) -> None:
    found = certify(own, runner, (42, 7))
    assert [(row["seed"], row["s5_status"]) for row in found.rows] == [(42, "PASS"), (7, "PASS")]
    assert found.rows[0]["run_id"] == own.identity.run_id


@pytest.mark.parametrize("seed", [-1, 2**64, True, 7.0])
def test_what_is_no_seed(own: RunRoot, runner: CandidateRunner, seed: Any) -> None:
    with pytest.raises(RunError, match=r"5B\.CALIBRATION\.SEED_INVALID"):
        derive_run(own, runner.contracts, seed=seed)


def _refused(base: RunRoot, runner: CandidateRunner) -> RunError:
    before = tree_digests(base.path.parent)
    with pytest.raises(RunError, match=NOT_IN_WORLD) as raised:
        derive_run(base, runner.contracts, seed=7)
    assert tree_digests(base.path.parent) == before
    return raised.value


def test_without_a_specification_upstream_must_publish_them(copied: RunRoot, runner: CandidateRunner) -> None:
    (copied.path / "reports/world_spec.yaml").unlink()
    refused = _refused(copied, runner)
    assert "no specification" in refused.what and "upstream" in refused.remedy


def test_a_calibrated_world_is_made_with_all_its_seeds(copied: RunRoot, runner: CandidateRunner) -> None:
    shutil.copy(resource_root() / "config/worlds/demo_classic.yaml", copied.path / "reports/world_spec.yaml")
    refused = _refused(copied, runner)
    assert "calibrated_v1" in refused.what and "--seed 42 --seed 7" in refused.remedy


@pytest.mark.parametrize(
    ("old", "new", "says"), [("count: 12", "count: 13", "another world"), ("count: 12", "count: no", "merchants.count")]
)
def test_a_specification_of_something_else(
    copied: RunRoot, runner: CandidateRunner, old: str, new: str, says: str
) -> None:
    path = copied.path / "reports/world_spec.yaml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    assert says in _refused(copied, runner).what


def test_a_copy_of_its_tables_lies_in_the_run(tmp_path: Path, runner: CandidateRunner) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("merchant_id,country\n5,US\n6,GB\n")
    own = {**OWN, "merchants": {"file": str(table)}}
    base = open_root(tmp_path / "runs", World.from_mapping(own).make(tmp_path / "runs"))
    kept = base.path / "reports/world_spec.merchants.csv"
    assert kept.read_bytes() == table.read_bytes()
    kept.unlink()
    refused = _refused(base, runner)
    assert kept.name in refused.what and "beside it" in refused.remedy
    shutil.copy(table, kept)
    made = derive_run(base, runner.contracts, seed=7)
    both = open_root(tmp_path / "both", World.from_mapping(own).make(tmp_path / "both", seeds=(42, 7)))
    assert _of_seed(made.root, 7) == _of_seed(both, 7) != {}


@pytest.mark.parametrize(
    ("failure", "raised"), [(OSError(28, "no space"), PublishError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_what_is_interrupted_leaves_nothing(
    copied: RunRoot,
    runner: CandidateRunner,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    raised: type[BaseException],
) -> None:
    before = tree_digests(copied.path.parent)

    def written_in_part(folder: Any, *_: Any) -> None:
        folder.write("data/layer1/1B/half.parquet", b"half")
        raise failure

    with monkeypatch.context() as patched, pytest.raises(raised):
        patched.setattr(seeds, "write_seed", written_in_part)
        derive_run(copied, runner.contracts, seed=7)
    assert tree_digests(copied.path.parent) == before
    assert [path.name for path in copied.path.parent.iterdir()] == [copied.identity.run_id]
    assert derive_run(copied, runner.contracts, seed=7).root.identity.seed == 7


def test_two_at_once_make_it_once(
    copied: RunRoot, both: RunRoot, runner: CandidateRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, write = [], seeds.MissingSeed.write

    def slowly(missing: seeds.MissingSeed, folder: Path) -> None:
        made.append(missing.seed)
        time.sleep(0.3)
        write(missing, folder)

    monkeypatch.setattr(seeds.MissingSeed, "write", slowly)
    with ThreadPoolExecutor(2) as pool:
        roots = list(pool.map(lambda seed: derive_run(copied, runner.contracts, seed=seed).root, (7, 7)))
    assert made == [7] and roots[0] == roots[1]
    assert _of_seed(roots[0], 7) == _of_seed(both, 7)


def test_files_left_of_a_seed_are_not_written_to(
    copied: RunRoot, own: RunRoot, both: RunRoot, runner: CandidateRunner
) -> None:
    left = copied.path / next(f"data/{name}" for name in _of_seed(both, 7) if "site_locations" in name)
    left.parent.mkdir(parents=True)
    left.write_bytes(b"what is left of another attempt")
    made = derive_run(copied, runner.contracts, seed=7)
    assert left.read_bytes() == b"what is left of another attempt"
    assert _of_seed(made.root, 7) == _of_seed(both, 7)


def test_a_base_whose_policies_were_changed_since(copied: RunRoot, runner: CandidateRunner) -> None:
    derive_run(copied, runner.contracts, seed=7)
    routing = copied.path / "reference/config/layer2/5B/arrival_routing_policy_5B.yaml"
    content = routing.read_bytes()
    routing.unlink()  # as editors do: a link to it keeps the old content
    routing.write_bytes(content)
    change_policies(copied.path, {"arrival_routing_policy_5B": {"hybrid_policy.p_virtual_hybrid": 0.4}})
    with pytest.raises(RunError, match=r"TARGET_TAKEN.*other policies"):
        derive_run(copied, runner.contracts, seed=7)


def test_places_are_those_of_the_seed(copied: RunRoot, runner: CandidateRunner) -> None:
    assert not (derive_run(copied, runner.contracts, seed=6).root.path / PLACES).exists(), "the base has none"
    write_places(copied, runner.contracts)
    made = derive_run(copied, runner.contracts, seed=7).root
    lying, base = ((root.path / PLACES / "edges.parquet").read_bytes() for root in (made, copied))
    edges, of_base = (place_table("edges", root, runner.contracts) for root in (made, copied))
    assert lying != base and edges != of_base
    with pyarrow.parquet.ParquetFile(made.path / PLACES / "edges.parquet") as file:
        assert file.read() == edges
    assert "seed=7/" in (made.path / PLACES / "arrivals.sql").read_text()
