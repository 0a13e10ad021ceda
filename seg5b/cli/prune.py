"""`seg5b prune`: storage hygiene."""

from __future__ import annotations

from pathlib import Path

import click

from seg5b.cli.common import CommandOutput, json_option, reporting, runs_root_option
from seg5b.cli.terminal import stdout


@click.command()
@runs_root_option
@click.option("--keep", multiple=True, help="Run that is kept in any case. Repeatable.")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(["failed", "superseded", "derived", "scratch", "caches", "bodies"]),
    multiple=True,
    help="What may be removed. Repeatable. [default: failed, superseded, derived, scratch] caches: loops that other releases "
    "compiled, for all runs of this user. bodies: S2's and S3's files of runs that S5 passed, which `seg5b run` makes again.",
)
@click.option("--confirm", is_flag=True, help="Remove; without it nothing is touched.")
@json_option
@reporting
def prune(runs_root: Path | None, keep: tuple[str, ...], kinds: tuple[str, ...], confirm: bool) -> CommandOutput:
    """List, or with --confirm remove, failed and derived runs, what reseals set aside, scratch that nobody works with, and what
    else is named.

    Example: seg5b prune --kind derived --confirm
    """
    from seg5b_compiled import cache_folder

    from seg5b.calibration import plan_prune
    from seg5b.calibration import prune as prune_plan
    from seg5b.calibration.prune import KINDS
    from seg5b.runs.root import default_runs_root

    wanted = kinds or KINDS
    caches = cache_folder("kernels").parent if "caches" in wanted else None
    plan = plan_prune(runs_root or default_runs_root(), keep=keep, kinds=wanted, caches=caches)
    done = prune_plan(plan) if confirm else None

    def show() -> None:
        for item in plan.removable:
            stdout.print(f"{item.kind:<10} {item.size_bytes / 1e6:>10.1f} MB  {item.path}", soft_wrap=True)
        for name, why in plan.kept:
            stdout.print(f"kept                      {name}  {why}", soft_wrap=True)
        for kind, size in plan.by_kind.items():
            stdout.print(f"{kind:<10} {size / 1e6:>10.1f} MB  in all")
        if done is None:
            stdout.print(
                f"would give back {sum(i.size_bytes for i in plan.removable) / 1e6:.1f} MB; add --confirm to remove"
            )
            return
        for path, why in done.errors:
            stdout.print(f"could not remove {path}: {why}", soft_wrap=True)
        stdout.print(f"removed {len(done.removed)}, gave back {done.reclaimed_mb:.1f} MB")

    payload = {
        "dry_run": done is None,
        "removable": [{"path": str(i.path), "kind": i.kind, "size_bytes": i.size_bytes} for i in plan.removable],
        "kept": [{"run_id": name, "reason": why} for name, why in plan.kept],
        "removed": [str(item.path) for item in done.removed] if done else [],
        "errors": [{"path": path, "what": why} for path, why in done.errors] if done else [],
        "reclaimed_mb": done.reclaimed_mb if done else 0.0,
    }
    return {"status": "FAIL" if done and done.errors else "PASS", **payload}, show
