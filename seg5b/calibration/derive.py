"""Derived runs: siblings of a run with another seed, some of its scenarios only, or other policy values, sharing every byte
that stays the same.

A derived run is a run like any other, with its own deterministic run id and a receipt that names its base under
``derived_from``. Upstream files are hard links. Outputs of states that neither seed nor policy can reach are hard links
too; their traces are written again under the new run id. `parameter_hash` stays: it names the base's parameters, enters
every random message, and so gives base and candidate the same random numbers; what differs is in the receipt and in
the sealed policies.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.calibration.policies import FIRST_STATE, Change, by_policy, changed_policy, check_policy_file
from seg5b.calibration.seeds import MissingSeed, missing_seed
from seg5b.canonical_json import canonical_json
from seg5b.contracts import ContractSource
from seg5b.errors import PublishError, RunError, shown
from seg5b.foreign_json import OBJECT, SHA256, read_json, read_json_lines
from seg5b.gate import scenarios_of_world
from seg5b.hashing import sha256_file, sha256_hex, tree_digests
from seg5b.pipeline import STATE_IDS
from seg5b.places import PLACES, lay_places
from seg5b.publish import publish
from seg5b.run_tables.outputs import OUTPUT_TABLES
from seg5b.runs.alone import alone
from seg5b.runs.root import RECEIPT_NAME, WORLD_SPECIFICATION, RunRoot, open_root, receipt_in

LAW = "seg5b.derived.v1"
_OWN = ("data/layer2/5B", "logs/layer2/5B", "reports", "superseded", "tmp", PLACES)
_POLICIES = "reference"
_UNIVERSE = ("edge_universe_hash_3B", "virtual_routing_policy_3B")
_SEEDED_COMPONENTS = {
    "edge_alias_index_3B": "edge_alias_index_digest",
    "edge_catalogue_index_3B": "edge_catalogue_index_digest",
}


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived run and the states that must still run, in order (S0 always: it seals the changed policies)."""

    root: RunRoot
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """What of a world a run realises: one seed, some scenarios. ``scenarios``: ascending ids, None for all."""

    seed: int
    scenarios: tuple[str, ...] | None


def derived_run_id(base: RunRoot, draw: Draw, policies: Mapping[str, bytes]) -> str:
    """32 hex digits from base, seed, the changed policies' bytes, and the scenarios where they are not the base's."""
    named = {path: sha256_hex(content) for path, content in policies.items()}
    subject: list[Any] = [LAW, base.identity.run_id, str(draw.seed), named]
    subject += [draw.scenarios] if draw.scenarios != base.scenarios else []
    return sha256_hex(json.dumps(subject, sort_keys=True).encode())[:32]


def derive_run(
    base: RunRoot,
    contracts: ContractSource,
    *,
    seed: int | None = None,
    scenarios: Sequence[str] = (),
    changes: Sequence[Change] = (),
) -> Derived:
    """Make the derived run beside ``base`` (or find it made), ready for its first state.

    ``seed``: one that the world has datasets for, or can be given them (`missing_seed`); None keeps the base's.
    ``scenarios``: ids of those to realise; none keeps the base's, all of the world's are no restriction. Where neither
    differs and there are no ``changes``, it is the base itself.

    Raises `RunError` ``5B.CALIBRATION.TARGET_TAKEN``, ``5B.RUN.SCENARIO_UNKNOWN``, and as `missing_seed`; `InputError`
    as `seg5b.gate.scenarios_of_world`; `PolicyError` for a key that no policy has or a value that its policy refuses;
    `PublishError` ``5B.CALIBRATION.DERIVE_FAILED``.
    """
    before = _draw_of(base)
    chosen = _restriction(base, contracts, scenarios) if scenarios else before.scenarios
    draw = Draw(before.seed if seed is None else seed, chosen)
    if draw == before and not changes:
        return Derived(base, STATE_IDS)
    policies = dict(changed_policy(base, contracts, own) for own in by_policy(changes))
    receipt = _receipt(base, draw, changes, derived_run_id(base, draw, policies))
    target = base.path.parent / str(receipt["run_id"])
    first = first_state(draw != before, changes)
    with alone(target.parent / f".derive_{target.name}.lock"):
        if not _made_already(base, target, receipt, policies):
            _make(base, contracts, target, receipt, policies, first, missing_seed(base, contracts, draw.seed))
        root = open_root(target.parent, target.name, base.external_roots)
        if (base.path / PLACES).is_dir():
            lay_places(root, contracts)  # edges are those of its seed
    return Derived(root, ("S0", *STATE_IDS[STATE_IDS.index(first) :]))


def first_state(other_draw: bool, changes: Sequence[Change]) -> str:
    """First state after S0 whose outputs may differ from the base's (docs/laws#derived-runs); ``other_draw``: another seed
    or other scenarios."""
    reached = [FIRST_STATE[change.at.policy_id] for change in changes] + (["S1"] if other_draw else [])
    return min(reached, default="S5")


def _draw_of(run: RunRoot) -> Draw:
    return Draw(run.identity.seed, run.scenarios)


def _restriction(base: RunRoot, contracts: ContractSource, wanted: Sequence[str]) -> tuple[str, ...] | None:
    """Ids in ascending order; None where they are all of the world's."""
    known = [scenario.scenario_id for scenario in scenarios_of_world(base, contracts)]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise RunError(
            "5B.RUN.SCENARIO_UNKNOWN",
            f"the world has no scenario {shown(unknown[0])}",
            where=str(base.path),
            remedy=f"choose among {', '.join(known)}",
        )
    chosen = tuple(name for name in known if name in wanted)
    return None if len(chosen) == len(known) else chosen


def _receipt(base: RunRoot, draw: Draw, changes: Sequence[Change], run_id: str) -> dict[str, Any]:
    """The base's receipt under the new identity; ``scenarios`` where they are not all. ``created_utc`` stays: no time of a
    derived run is new."""
    stated = {name: value for name, value in base.receipt.items() if name != "scenarios"}
    return {
        **stated,
        "run_id": run_id,
        "seed": draw.seed,
        "derived_from": base.identity.run_id,
        "derived_law": LAW,
        "derived_changes": [change.as_json() for change in changes],
        **({} if draw.scenarios is None else {"scenarios": list(draw.scenarios)}),
    }


def _made_already(base: RunRoot, target: Path, receipt: Mapping[str, Any], policies: Mapping[str, bytes]) -> bool:
    """Whether the derived run is there, as it would be made now: the base's policies may have been changed since."""
    if not target.exists():
        return False
    wanted = {**tree_digests(base.path / _POLICIES), **{path: sha256_hex(each) for path, each in policies.items()}}
    same = receipt_in(target) == receipt
    if same and tree_digests(target / _POLICIES) == wanted:
        return True
    raise RunError(
        "5B.CALIBRATION.TARGET_TAKEN",
        f"the folder of the derived run exists with {'other policies' if same else 'another receipt'}",
        where=str(target),
        remedy="move it away, or remove it with `seg5b prune --kind derived`",
    )


def _make(
    base: RunRoot,
    contracts: ContractSource,
    target: Path,
    receipt: Mapping[str, Any],
    policies: Mapping[str, bytes],
    first: str,
    seed: MissingSeed | None,
) -> None:
    """Fill a folder beside the target, then rename it: a derived run is whole or not there."""
    staging = target.parent / f".derive_{target.name}"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        if seed:
            seed.write(staging)  # before there are links: to write to one would be to write to the base
        for file in _carried(base.path):
            _link(file, staging / file.relative_to(base.path))
        for rendered, content in policies.items():
            _write(staging / _POLICIES / rendered, content)
            check_policy_file(Path(rendered).stem, staging / _POLICIES / rendered, contracts)
        if receipt["seed"] != base.identity.seed:
            restate_universe(base, contracts, staging, int(receipt["seed"]))
        for state in STATE_IDS[1 : STATE_IDS.index(first)]:
            _share_state(base, contracts, staging, state, str(receipt["run_id"]))
        _write(staging / RECEIPT_NAME, canonical_json(receipt))
        # Of receipts of one time the youngest file counts as the latest run: that must stay the base.
        born = (base.path / RECEIPT_NAME).stat().st_mtime_ns - 1_000_000_000
        os.utime(staging / RECEIPT_NAME, ns=(born, born))
        publish(staging, target, state="CALIBRATION")
    except (OSError, PublishError) as cause:
        raise PublishError(
            "5B.CALIBRATION.DERIVE_FAILED",
            f"could not make the derived run: {getattr(cause, 'strerror', None) or cause}",
            where=str(target),
            remedy="free space or fix permissions, then try again",
        ) from cause
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _carried(run: Path) -> Iterator[Path]:
    """What a derived run has of its base but for outputs: upstream files, and the specification that seeds are made from."""
    yield from upstream_files(run)
    if (run / WORLD_SPECIFICATION).is_file():
        yield run / WORLD_SPECIFICATION


def upstream_files(run: Path) -> Iterator[Path]:
    """Files of a run that segments before 5B wrote, and its policies."""
    own = [run / name for name in _OWN]
    for folder, names, files in os.walk(run):
        here = Path(folder)
        names[:] = sorted(name for name in names if here / name not in own and not name.startswith("."))
        for name in sorted(files):
            if here != run:
                yield here / name


def restate_universe(base: RunRoot, contracts: ContractSource, staging: Path, seed: int) -> None:
    """3B's universe hash lies in one file per fingerprint but is made from files of one seed. State it for another
    seed, by 3B's law: SHA-256 over the raw component digests in order of their names. A base whose own hash does not
    hold is left as it is, for S5 to judge."""
    entries = contracts.dictionary("5B").entries
    path, routing = (staging / entries[name].render(base.identity.tokens()) for name in _UNIVERSE)
    payload = _restated(path)
    for dataset_id, field in _SEEDED_COMPONENTS.items():
        mine, other = (
            staging / entries[dataset_id].render({**base.identity.tokens(), "seed": str(each)})
            for each in (base.identity.seed, seed)
        )
        if payload.get(field) != sha256_file(mine):
            return
        payload[field] = sha256_file(other)
    digests = [payload[name] for name in sorted(payload) if name.endswith("_digest")]
    if not all(map(SHA256.holds, digests)):
        return
    payload["universe_hash"] = sha256_hex(bytes.fromhex("".join(digests)))
    _write(path, canonical_json(payload))
    _write(routing, canonical_json({**_restated(routing), "edge_universe_hash": payload["universe_hash"]}))


def _restated(path: Path) -> dict[str, Any]:
    """A JSON object of 3B, to be stated for another seed. Raises `RunError` ``5B.CALIBRATION.BASE_INCOMPLETE``."""
    try:
        fields: dict[str, Any] = read_json(path, OBJECT)
    except (OSError, ValueError) as cause:
        raise _unusable(path, cause) from cause
    return fields


def _unusable(path: Path, cause: Exception) -> RunError:
    what = f"{path.name} of the base run is not usable: {cause}"
    return RunError("5B.CALIBRATION.BASE_INCOMPLETE", what, where=str(path), remedy="restore the file of the base run")


def _share_state(base: RunRoot, contracts: ContractSource, staging: Path, state: str, run_id: str) -> None:
    """Link a state's outputs and write its trace again. Raises `RunError` ``5B.CALIBRATION.BASE_INCOMPLETE``."""
    for output in (output for output in OUTPUT_TABLES if output.state == state):
        folder = base.path / contracts.dictionary("5B").entry(output.dataset_id).above_scenarios(base.identity.tokens())
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files and output.required:
            raise RunError(
                "5B.CALIBRATION.BASE_INCOMPLETE",
                f"the base run has no {output.dataset_id}",
                where=str(base.path),
                remedy="run the base first: `seg5b run`",
            )
        for file in files:
            _link(file, staging / file.relative_to(base.path))
    _share_trace(base, contracts, staging, state, run_id)


def _share_trace(base: RunRoot, contracts: ContractSource, staging: Path, state: str, run_id: str) -> None:
    """Traces name their run in path and rows; events and counters are those of the outputs they describe."""
    entry = contracts.dictionary("5B").entry("rng_trace_log")
    source = base.path / entry.render(base.identity.tokens())
    target = staging / entry.render({**base.identity.tokens(), "run_id": run_id})
    for file in sorted(source.glob(f"state={state}/*/*.jsonl")):
        try:
            rows = [{**row, "run_id": run_id} for row in read_json_lines(file)]
        except (OSError, ValueError) as cause:
            raise _unusable(file, cause) from cause
        _write(target / file.relative_to(source), b"".join(canonical_json(row) + b"\n" for row in rows))


def _link(file: Path, target: Path) -> None:
    """Hard link where the file system has them, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except FileExistsError:
        return  # made for this run, where the base has but some files of a seed
    except OSError as cause:
        if cause.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(file, target)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a link to the base's file, which must not change
    path.write_bytes(content)
