"""Making a world: the main path. Everything is staged beside the target and appears in one rename."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import yaml_text
from seg5b.errors import PublishError, WorldError
from seg5b.progress import unreported
from seg5b.publish import publish
from seg5b.resources import resource_root
from seg5b.runs.alone import alone
from seg5b.runs.root import RECEIPT_NAME, WORLD_SPECIFICATION, receipt_in, text_path
from seg5b.world.bundles import write_bundles
from seg5b.world.edges import WorldEdges
from seg5b.world.folder import Folder
from seg5b.world.identity import CREATED_UTC, WorldIdentity, canon, make_identity, shipped_policies
from seg5b.world.plan import CALIBRATED, WorldPlan
from seg5b.world.policies import PolicyChange
from seg5b.world.policy_floors import world_policies
from seg5b.world.presets import find_preset
from seg5b.world.report import REPORT_PATH, SurfaceTotals, make_report, report_bytes
from seg5b.world.segment_3b import EDGE_STEPS, write_virtual
from seg5b.world.segment_5a import (
    write_baseline,
    write_profile,
    write_scenarios,
    write_shapes,
    write_surfaces,
)
from seg5b.world.segments_1b_to_3a import (
    write_group_weights,
    write_site_blob,
    write_sites,
    write_tz_cache,
    write_zone_allocation,
)
from seg5b.world.spec import plan_of
from seg5b.world.spec.refusal import refusal
from seg5b.world.spec.source import with_tables
from seg5b.world.steps import Progress, Steps
from seg5b.world.surface import Block, Surface
from seg5b.world.world import BuiltWorld, build_world


def make_world(
    preset: str,
    *,
    seeds: Sequence[int] = (42,),
    runs_root: Path,
    unique_keys: bool = False,
    progress: Progress | None = None,
) -> str:
    """Make the upstream world of a preset below ``runs_root`` and return its run id.

    The same arguments, policies and tzdata release give the same run id and the same bytes. A world that exists
    already is left as it is. The first seed goes into the receipt; every seed gets its seed-scoped datasets. With
    ``unique_keys`` each (merchant, tzid) is reached through one country only.

    Raises `WorldError`: ``5B.WORLD.PRESET_UNKNOWN``, ``5B.WORLD.SPEC_INVALID`` for ``unique_keys`` of another law,
    ``5B.WORLD.SEED_INVALID``, ``5B.WORLD.POLICY_MISSING``,
    ``5B.WORLD.TARGET_TAKEN`` when the run folder exists with another receipt, ``5B.WORLD.WRITE_FAILED``.
    """
    plan = find_preset(preset)
    if unique_keys and plan.law != CALIBRATED:
        what = f"is no key of {preset}, whose law is {plan.law}"
        raise refusal("unique_keys", unique_keys, what, "take a classic preset, as demo_classic")
    return make_from_plan(
        plan,
        seeds=seeds,
        runs_root=runs_root,
        config_root=resource_root(),
        unique_keys=unique_keys,
        progress=progress,
    )


def make_from_plan(
    plan: WorldPlan,
    *,
    seeds: Sequence[int],
    runs_root: Path,
    config_root: Path,
    unique_keys: bool = False,
    progress: Progress | None = None,
) -> str:
    """As `make_world`, for any plan and with the policies found below ``config_root``. Raises `WorldError` as that
    does, but for an unknown preset, and ``5B.WORLD.SPEC_INVALID`` where the made world cannot be."""
    report = progress or unreported
    draft = draft_world(plan, seeds, config_root, unique_keys=unique_keys, report=report)
    identity = draft.identity
    target = text_path(runs_root) / identity.run_id
    if _made_already(target, identity):
        report("already made", 1, 1)
        return identity.run_id
    try:
        runs_root.mkdir(parents=True, exist_ok=True)
        with alone(runs_root / f".world_{identity.run_id}.lock"):
            if not _made_already(target, identity):
                _make_at(target, draft, report)
    except OSError as cause:
        raise _write_failed(target, cause) from cause
    return identity.run_id


def _make_at(target: Path, draft: Draft, report: Progress) -> None:
    """Fill a folder beside the target, then rename it: a world is whole or not there."""
    staging = target.parent / f".world_{target.name}"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        sealing = _fill(Folder.open(staging, draft.identity), draft, report)
        publish(staging, target, state="WORLD")
        sealing.done()
    except (OSError, PublishError) as cause:
        raise _write_failed(target, cause) from cause
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_failed(target: Path, cause: Exception) -> WorldError:
    what, remedy = f"could not write the world: {cause}", "free space or choose another --runs-root"
    return WorldError("5B.WORLD.WRITE_FAILED", what, where=str(target), remedy=remedy)


@dataclass(frozen=True, slots=True)
class Draft:
    """A world before anything is written: identity and policies, what was changed in them, and the population
    (None where the identity does not need it yet)."""

    plan: WorldPlan
    identity: WorldIdentity
    unique_keys: bool
    changes: tuple[PolicyChange, ...] = ()
    world: BuiltWorld | None = None

    def built(self, report: Progress = unreported) -> BuiltWorld:
        """The population."""
        return self.world or build_world(self.plan, unique_keys=self.unique_keys, report=report)


def draft_world(
    plan: WorldPlan,
    seeds: Sequence[int],
    config_root: Path,
    *,
    unique_keys: bool = False,
    report: Progress = unreported,
) -> Draft:
    """What a plan comes to. Policies of derived_v1 follow from the population, so that is made first. Raises as
    `make_from_plan`."""
    if plan.law == CALIBRATED:
        return Draft(
            plan, make_identity(plan, seeds, unique_keys, shipped_policies(config_root, plan.law)), unique_keys
        )
    world = build_world(plan, unique_keys=unique_keys, report=report)
    steps = Steps(report, "policies", 1)
    content, changes = world_policies(world, config_root)
    steps.done()
    return Draft(plan, make_identity(plan, seeds, unique_keys, content), unique_keys, changes, world)


def _made_already(target: Path, identity: WorldIdentity) -> bool:
    if not target.exists():
        return False
    if receipt_in(target) == _receipt(identity):
        return True
    raise WorldError(
        "5B.WORLD.TARGET_TAKEN",
        "the run folder exists but does not hold this world's receipt",
        where=str(target),
        remedy="move the folder away, then make the world again",
    )


def _fill(folder: Folder, draft: Draft, report: Progress) -> Steps:
    """Write everything; returns the step of sealing, of which publication is left."""
    world = draft.built(report)
    surface = Surface(world, folder.identity.parameter_hash)
    _write_policies(folder)
    _write_layer2(folder, world, surface, report)
    edges = _write_seeds(folder, world, report)
    totals = _write_surfaces(folder, world, surface, report)
    sealing = Steps(report, "sealing", 3)
    write_bundles(folder, world)
    sealing.done()
    changes = [change.as_dict() for change in draft.changes]
    folder.write(REPORT_PATH, report_bytes(make_report(world, surface, edges, totals, changes)))
    _write_spec(folder, draft.plan)
    (folder.root / "tmp").mkdir()
    folder.write(RECEIPT_NAME, canon(_receipt(folder.identity)))
    sealing.done()
    return sealing


def _write_policies(folder: Folder) -> None:
    for path, content in folder.identity.policies.items():
        folder.write(f"reference/{path}", content)


def _write_spec(folder: Folder, plan: WorldPlan) -> None:
    """What was asked, beside the datasets, with copies of its tables: no digest covers reports."""
    document = dict(plan.document)
    if plan.law == CALIBRATED and (not document or plan_of(document) != plan):
        return
    place = Path(WORLD_SPECIFICATION)

    def kept(key: str, file: str) -> str:
        copy = f"{place.stem}.{key}{Path(file).suffix}"
        folder.write(str(place.with_name(copy)), Path(file).read_bytes())
        return copy

    folder.write(WORLD_SPECIFICATION, yaml_text(with_tables(document, kept)).encode())


def _write_layer2(folder: Folder, world: BuiltWorld, surface: Surface, report: Progress) -> None:
    write_scenarios(folder, world)
    write_profile(folder, world)
    every_row = len(world.channels) * len(world.plan.scenarios)
    for place, scenario in enumerate(world.plan.scenarios):

        def seen(rows: int, place: int = place) -> None:
            report("normal weeks", place * len(world.channels) + rows, every_row)

        write_shapes(folder, world, surface, scenario)
        write_baseline(folder, world, surface, scenario, seen)


def _write_seeds(folder: Folder, world: BuiltWorld, report: Progress) -> WorldEdges:
    """Everything with a seed in its path; returns the edges of the first seed."""
    write_tz_cache(folder, world)
    steps = Steps(report, "sites and edges", len(folder.identity.seeds) * (len(_OF_SITES) + EDGE_STEPS))
    all_edges = [write_seed(folder, world, seed, steps) for seed in folder.identity.seeds]
    return all_edges[0]


_OF_SITES = (write_sites, write_site_blob, write_group_weights, write_zone_allocation)


def write_seed(folder: Folder, world: BuiltWorld, seed: int, steps: Steps | None = None) -> WorldEdges:
    """Every dataset of one seed; of the folder's first seed also the hashes that lie in one file for all seeds."""
    told = steps or Steps(unreported, "", 0)
    for write in _OF_SITES:
        write(folder, world, seed)
        told.done()
    return write_virtual(folder, world, seed, told)


def _write_surfaces(folder: Folder, world: BuiltWorld, surface: Surface, report: Progress) -> list[SurfaceTotals]:
    scenarios = world.plan.scenarios
    every_row = len(world.channels) * len(scenarios)
    all_totals = []
    for place, scenario in enumerate(scenarios):
        totals = SurfaceTotals(world, scenario, world.plan.scenario(scenario).is_baseline)

        def seen(block: Block, place: int = place, totals: SurfaceTotals = totals) -> None:
            totals.add(block)
            report("intensity", place * len(world.channels) + block.stop, every_row)

        write_surfaces(folder, world, surface, scenario, seen)
        all_totals.append(totals)
    return all_totals


def _receipt(identity: WorldIdentity) -> dict[str, object]:
    return {
        "run_id": identity.run_id,
        "seed": identity.seeds[0],
        "parameter_hash": identity.parameter_hash,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "created_utc": CREATED_UTC,
        "contracts_layout": "contracts",
    }
