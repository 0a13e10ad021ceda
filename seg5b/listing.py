"""What there is: runs below a folder, scenarios of a run, its published datasets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seg5b.contracts import ContractSource, load_yaml
from seg5b.errors import ContractError, RunError, Seg5bError, shown
from seg5b.gate import scenarios_of_run
from seg5b.run_tables.outputs import BY_TABLE, INCOMPLETE, OUTPUT_TABLES, OutputTable, dataset_path, output_files
from seg5b.runs.ledger import last_records
from seg5b.runs.root import RECEIPT_NAME, WORLD_SPECIFICATION, RunRoot, derived_from, open_root
from seg5b.tables.reading import row_count

_WHOLE = {
    "S0": ("s0_gate_receipt_5B", "sealed_inputs_5B", "sealed_content_5B"),
    "S5": ("validation_bundle_5B", "validation_passed_flag_5B"),
}
"""What states publish whose records list no files."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run in a list. ``world``: name of its specification, empty where it keeps none; ``state``, ``status``: the last
    state that was attempted, and how that ended, empty before S0; ``derived_from``: run id of its base; ``created_utc`` as the
    receipt says it."""

    run_id: str
    world: str
    seed: int
    scenarios: tuple[str, ...]
    created_utc: str
    state: str
    status: str
    derived_from: str | None
    path: Path


@dataclass(frozen=True, slots=True)
class ScenarioFacts:
    """A scenario of a run, its horizon [``start_utc``, ``end_utc``), and how many arrivals are published (None: none
    yet)."""

    scenario_id: str
    kind: str
    start_utc: datetime
    end_utc: datetime
    arrivals: int | None


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """A published dataset of a scenario: the state that wrote it, its rows, bytes on disk, files, and where it lies."""

    dataset_id: str
    scenario_id: str
    state: str
    rows: int
    bytes: int
    files: int
    path: Path


def gone_files(
    root: RunRoot,
    contracts: ContractSource,
    records: Mapping[str, Mapping[str, Any]],
    but: Collection[str] = (),
) -> dict[str, list[str]]:
    """Of each state that passed by its last record, the files that it published and that are not there any more, relative to
    the run, ``but`` some that it may lack; states that lack none are left out. Nothing is read: `seg5b verify` tells whether
    files are what was published."""
    gone = {}
    for state, record in records.items():
        if record.get("status") != "PASS":
            continue
        expected = [Path(name) for name in record.get("published_files") or ()]
        if state in _WHOLE:
            expected = [dataset_path(root, contracts, name).relative_to(root.path) for name in _WHOLE[state]]
        missing = {path.as_posix() for path in expected if not (root.path / path).exists()} - set(but)
        if missing:
            gone[state] = sorted(missing)
    return gone


def runs_below(runs_root: Path, contracts: ContractSource) -> list[RunFacts]:
    """The runs below a folder, the oldest first; folders whose receipt cannot be read are left out."""
    found = []
    for receipt in runs_root.glob(f"*/{RECEIPT_NAME}"):
        try:
            found.append(_run_facts(open_root(runs_root, receipt.parent.name), contracts))
        except RunError:
            continue
    return sorted(found, key=lambda run: (run.created_utc, run.run_id))


def output_of(named: str, contracts: ContractSource) -> OutputTable:
    """The table that a run publishes under a dataset id, which may lack its suffix ``_5B``. Raises `RunError`
    ``5B.RUN.DATASET_UNKNOWN``, listing those there are."""
    names = (named, f"{named}_5B")
    for output in OUTPUT_TABLES:
        if output.dataset_id in names:
            return output
    known = next((name for name in names if name in contracts.dictionary("5B").entries), None)
    what = f"{known} is no table" if known else f"there is no dataset {shown(named)}"
    choice = ", ".join(output.dataset_id for output in OUTPUT_TABLES)
    remedy = f"read the file at path({known!r}), or choose among {choice}" if known else f"choose among {choice}"
    raise RunError("5B.RUN.DATASET_UNKNOWN", what, where=named, remedy=remedy)


def _run_facts(root: RunRoot, contracts: ContractSource) -> RunFacts:
    records: Mapping[str, Mapping[str, Any]] = last_records(root)
    state = max(records, default="")
    scenarios: tuple[str, ...] = ()
    with suppress(Seg5bError):
        scenarios = tuple(scenario.scenario_id for scenario in scenarios_of_run(root, contracts))
    return RunFacts(
        run_id=root.identity.run_id,
        world=_world_name(root),
        seed=root.identity.seed,
        scenarios=scenarios,
        created_utc=str(root.receipt.get("created_utc", "")),
        state=state,
        status=str(records[state]["status"]) if state else "",
        derived_from=derived_from(root.receipt),
        path=root.path,
    )


def _world_name(root: RunRoot) -> str:
    try:
        return str(load_yaml(root.path / WORLD_SPECIFICATION).get("name", ""))
    except ContractError:
        return ""


def scenarios_of(root: RunRoot, contracts: ContractSource) -> list[ScenarioFacts]:
    """The scenarios of a run, in ascending order of their ids. Raises as `seg5b.gate.scenarios_of_run`, and `InputError`
    ``5B.RUN.DATASET_INCOMPLETE`` where arrivals are damaged."""

    def arrivals(scenario_id: str) -> int | None:
        files = output_files(root, contracts, BY_TABLE["arrivals"], scenario_id)
        return row_count(files, code=INCOMPLETE) if files else None

    return [
        ScenarioFacts(
            scenario.scenario_id,
            "baseline" if scenario.is_baseline else "stress",
            _moment(scenario.start_us),
            _moment(scenario.end_us),
            arrivals(scenario.scenario_id),
        )
        for scenario in scenarios_of_run(root, contracts)
    ]


def _moment(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC)


def datasets_of(root: RunRoot, contracts: ContractSource) -> list[DatasetFacts]:
    """The published datasets of a run, by state and scenario. Raises `InputError` ``5B.RUN.DATASET_INCOMPLETE`` for one that
    is damaged, and as `seg5b.gate.scenarios_of_run`."""
    found = []
    scenarios = [scenario.scenario_id for scenario in scenarios_of_run(root, contracts)]
    for output in OUTPUT_TABLES:
        for scenario_id in scenarios:
            files = output_files(root, contracts, output, scenario_id)
            if files:
                found.append(
                    DatasetFacts(
                        output.dataset_id,
                        scenario_id,
                        output.state,
                        row_count(files, code=INCOMPLETE),
                        sum(file.stat().st_size for file in files),
                        len(files),
                        dataset_path(root, contracts, output.dataset_id, scenario_id),
                    )
                )
    return found
