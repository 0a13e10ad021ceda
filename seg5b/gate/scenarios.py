"""The scenario manifest, read strictly.

Source: docs/laws#scenario-manifest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from seg5b.contracts import ContractSource
from seg5b.errors import InputError, RunError, shown
from seg5b.gate.catalogue import SCENARIO_MANIFEST
from seg5b.gate.files import AbsentError, DamageError, checked_file
from seg5b.gate.inputs import place_of
from seg5b.runs import RunRoot
from seg5b.runs.root import RECEIPT_NAME
from seg5b.tables.whole import NotParquetError, stored_names, stored_rows

_INCOMPLETE = "SEALED_INPUTS_INCOMPLETE"
_INVALID = "SEALED_INPUTS_SCHEMA_INVALID"
_REQUIRED: Final = (
    "manifest_fingerprint",
    "scenario_id",
    "scenario_version",
    "horizon_start_utc",
    "horizon_end_utc",
    "is_baseline",
    "is_stress",
)
_OPTIONAL: Final = ("labels", "scenario_config_ids")
_MICROS: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z", re.ASCII)
_UNSAFE_ID: Final = re.compile(r"[/\\{}\x00-\x1f\x7f]")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. ``start_us`` and ``end_us`` are int64 microseconds since 1970-01-01 UTC, end
    exclusive."""

    scenario_id: str
    start_us: int
    end_us: int
    is_baseline: bool
    is_stress: bool
    labels: tuple[str, ...]


def scenarios_of_world(root: RunRoot, contracts: ContractSource, *, state: str = "S0") -> tuple[Scenario, ...]:
    """Every scenario of a run's world. Raises as `read_scenarios`."""
    place = place_of(root, contracts.dictionary("5B").entry(SCENARIO_MANIFEST))
    return read_scenarios(place.path, contracts, root.identity.manifest_fingerprint, state=state)


def scenarios_of_run(root: RunRoot, contracts: ContractSource, *, state: str = "S0") -> tuple[Scenario, ...]:
    """The scenarios that a run realises: those of its world, or of them those that the receipt of a derived run states
    (docs/laws#derived-runs). Raises as `read_scenarios`, and `RunError` ``5B.S0.RUN_IDENTITY_INVALID`` for a
    receipt that states what is no set of them."""
    scenarios, stated = scenarios_of_world(root, contracts, state=state), root.scenarios
    if stated is None:
        return scenarios
    known = [scenario.scenario_id for scenario in scenarios]
    if not stated or list(stated) != [name for name in known if name in stated]:
        raise RunError(
            "5B.S0.RUN_IDENTITY_INVALID",
            f"scenarios {shown(list(stated))} are not an ascending list of those of the world: {', '.join(known)}",
            where=str(root.path / RECEIPT_NAME),
            remedy="restore the receipt of the derived run, or remove the run: `seg5b prune`",
        )
    return tuple(scenario for scenario in scenarios if scenario.scenario_id in stated)


def read_scenarios(
    path: Path, contracts: ContractSource, manifest_fingerprint: str, *, state: str = "S0"
) -> tuple[Scenario, ...]:
    """Scenarios of the manifest in ascending order of their ids.

    Raises `InputError` ``5B.<state>.SEALED_INPUTS_INCOMPLETE`` for a manifest that is absent, empty or
    without ``scenario_id``, ``5B.<state>.SEALED_INPUTS_SCHEMA_INVALID`` for unreadable Parquet, other
    columns, nulls, malformed values, another manifest fingerprint, a repeated id or one that cannot be part
    of a path.
    """
    fault = _Fault(path, state)
    rows = _rows(path, fault)
    if not rows:
        raise fault.error(_INCOMPLETE, "the scenario manifest lists no scenario")
    for row in rows:
        contracts.validate_row(SCENARIO_MANIFEST, row, code=f"5B.{state}.{_INVALID}", where=str(path))
        _check_row(row, manifest_fingerprint, fault)
    scenarios = sorted((_scenario(row, fault) for row in rows), key=lambda scenario: scenario.scenario_id)
    for one, other in pairwise(scenarios):
        if one.scenario_id == other.scenario_id:
            raise fault.error(_INVALID, f"scenario {one.scenario_id!r} is listed twice")
    return tuple(scenarios)


@dataclass(frozen=True, slots=True)
class _Fault:
    path: Path
    state: str

    def error(self, reason: str, what: str) -> InputError:
        return InputError(
            f"5B.{self.state}.{reason}",
            what,
            where=str(self.path),
            remedy="restore the scenario manifest that segment 5A published for this run",
        )


def _rows(path: Path, fault: _Fault) -> list[dict[str, Any]]:
    try:
        checked_file(path)
    except AbsentError as cause:
        raise fault.error(_INCOMPLETE, f"the scenario manifest {cause}") from cause
    except DamageError as cause:
        raise fault.error(_INVALID, f"the scenario manifest {cause}") from cause
    try:
        _check_columns(stored_names(path), fault)
        return stored_rows(path)
    except NotParquetError as cause:
        raise fault.error(_INVALID, f"the scenario manifest is not readable Parquet: {cause}") from cause


def _check_columns(names: list[str], fault: _Fault) -> None:
    if "scenario_id" not in names:
        raise fault.error(_INCOMPLETE, f"the scenario manifest has no column scenario_id, only {sorted(names)}")
    missing = sorted(set(_REQUIRED) - set(names))
    extra = sorted(set(names) - set(_REQUIRED) - set(_OPTIONAL))
    if missing or extra or len(set(names)) != len(names):
        raise fault.error(
            _INVALID, f"columns are not those of the contract: missing {missing}, unknown {extra}, of {names}"
        )


def _check_row(row: Mapping[str, Any], manifest_fingerprint: str, fault: _Fault) -> None:
    name = row["scenario_id"]
    empty = sorted(key for key, value in row.items() if value is None)
    if empty:
        raise fault.error(_INVALID, f"scenario {name!r} has null in {empty}")
    if row["manifest_fingerprint"] != manifest_fingerprint:
        raise fault.error(
            _INVALID,
            f"scenario {name!r} belongs to manifest_fingerprint {row['manifest_fingerprint']!r}, not to this run",
        )
    # The id becomes a folder name, trimmed; anything that would change the path is refused here, by name.
    if name in ("", ".", "..") or name != name.strip() or _UNSAFE_ID.search(name) or len(name.encode()) > 200:
        raise fault.error(_INVALID, f"scenario id {name!r} cannot be part of a path")


def _scenario(row: Mapping[str, Any], fault: _Fault) -> Scenario:
    return Scenario(
        scenario_id=row["scenario_id"],
        start_us=_micros(row, "horizon_start_utc", fault),
        end_us=_micros(row, "horizon_end_utc", fault),
        is_baseline=row["is_baseline"],
        is_stress=row["is_stress"],
        labels=tuple(row.get("labels") or ()),
    )


def _micros(row: Mapping[str, Any], key: str, fault: _Fault) -> int:
    text = row[key]
    try:
        if not _MICROS.fullmatch(text):
            raise ValueError("not RFC 3339 with microseconds and Z")
        return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
    except ValueError as cause:
        raise fault.error(_INVALID, f"scenario {row['scenario_id']!r}: {key} {text!r}: {cause}") from cause
