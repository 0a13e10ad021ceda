"""`seg5b score`, `explain`, `sensitivity`, `sweep`, `certify`, `prune` and `bench`: realism, calibration, hygiene."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from seg5b.cli.common import backend_options, json_option, open_run_options, reporting, run_options, stderr, stdout
from seg5b.progress import StepProgress, TerminalReporter

if TYPE_CHECKING:
    from seg5b.calibration import Workshop
    from seg5b.calibration.policies import Value
    from seg5b.contracts import ContractSource

Output = tuple[Mapping[str, Any], Callable[[], None]]


@click.command()
@run_options
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="gateboard.json of another run, for deltas and the runtime veto.",
)
@click.option("--label", default="baseline", show_default=True, help="Name of the candidate on the P2 board.")
@json_option
@reporting
def score(baseline: Path | None, label: str, **options: Any) -> Output:
    """Judge a realised run by the gates T1-T15, all of it, and write the gateboard.

    Exit status 1 when a gate that counts is not within band B.

    Example: seg5b score --json
    """
    from seg5b.realism import board_json, score_run, write_boards
    from seg5b.realism.files import read_report

    root, contracts = open_run_options(options)
    before = None if baseline is None else read_report(baseline)
    with StepProgress(TerminalReporter(stderr), "checks") as progress:
        board = score_run(root, contracts, baseline=before, progress=progress)
    paths = write_boards(root, board, label=label, baseline_path=None if baseline is None else str(baseline))
    grade = board.decision["grade"]

    def show() -> None:
        table = Table("gate", "what", "measured", "verdict", title=f"run {root.identity.run_id}", title_justify="left")
        for gate in board.gates:
            plus = " B+" if gate.b and gate.bplus else ""
            table.add_row(gate.gate_id, gate.law.title, gate.shown, f"{gate.verdict.value}{plus}")
        stdout.print(table)
        for gate_id, owner in board.decision["attribution"].items():
            stdout.print(f"{gate_id}: to be repaired by {owner}", soft_wrap=True)
        candidate = board.decision["p2"]
        stdout.print(f"grade {grade}, lane {candidate['lane_decision']}, candidate {candidate['phase_grade']}")
        stdout.print(str(paths["markdown"]), soft_wrap=True)

    status = "FAIL" if grade == "HOLD_REMEDIATE" else "PASS"
    files = {name: str(path) for name, path in paths.items()}
    return {"status": status, "grade": grade, **board_json(board), "files": files}, show


@click.command()
@run_options
@click.option("--merchant", "merchant_id", type=click.IntRange(0, 2**64 - 1), required=True, help="Merchant id.")
@click.option("--seq", "arrival_seq", type=click.IntRange(1), help="Number of the arrival.")
@click.option("--zone", help="Zone of a series, instead of --seq.")
@click.option("--bucket", type=click.IntRange(0), help="Bucket of that series, instead of --seq.")
@click.option("--channel", help="Channel of that series, where the merchant has several there.")
@click.option("--scenario", "scenario_id", help="Scenario. [default: the first]")
@json_option
@reporting
def explain(
    merchant_id: int,
    arrival_seq: int | None,
    zone: str | None,
    bucket: int | None,
    channel: str | None,
    scenario_id: str | None,
    **options: Any,
) -> Output:
    """Derive one arrival, or one bucket's intensity and count, again in plain integers, and show every step.

    Exit status 1 when anything derived differs from what was published.

    Example: seg5b explain --merchant 3128101038171252407 --seq 17
    """
    from seg5b.explain import explain_arrival, explain_bucket

    if (arrival_seq is None) == (zone is None or bucket is None):
        raise click.UsageError("give --seq, or --zone and --bucket")
    root, contracts = open_run_options(options)
    if arrival_seq is not None:
        found = explain_arrival(root, contracts, merchant_id, arrival_seq, scenario_id)
    else:
        found = explain_bucket(root, contracts, merchant_id, str(zone), int(bucket or 0), channel, scenario_id)
    payload = found.as_json()

    def show() -> None:
        stdout.print(f"merchant {merchant_id}, scenario {found.scenario_id}")
        for title in ("bucket", "arrival"):
            if payload[title] is not None:
                stdout.print(f"\n{title}")
                _print_tree(payload[title], 1)
        stdout.print("\nequal to what was published" if found.holds else f"\nDIFFERS in {', '.join(found.differences)}")

    return {"status": "PASS" if found.holds else "FAIL", **payload}, show


def _print_tree(node: Mapping[str, Any], depth: int) -> None:
    for name, value in node.items():
        if isinstance(value, Mapping):
            stdout.print(f"{'  ' * depth}{name}", markup=False)
            _print_tree(value, depth + 1)
        else:
            stdout.print(f"{'  ' * depth}{name:<26} {value}", soft_wrap=True, markup=False)


@click.command()
@run_options
@json_option
@reporting
def sensitivity(**options: Any) -> Output:
    """Tell how far the hybrid coin moves T7, and which merchants, zones and classes hold T6 up.

    Example: seg5b sensitivity --json
    """
    from seg5b.calibration import analyse
    from seg5b.realism.files import write_report

    root, contracts = open_run_options(options)
    found = analyse(root, contracts)
    path = write_report(root, "sensitivity.json", found)

    def show() -> None:
        coin, mass, observed = found["hybrid_coin_policy"], found["virtual_mode_mass"], found["baseline_observed"]
        stdout.print(f"T6 {observed['t6']:.4%}   T7 {observed['t7']:.4%}   of {observed['arrivals']:,} arrivals")
        shares = ", ".join(
            f"{name.removeprefix('share_')} {mass[name]:.4%}" for name in mass if name.startswith("share")
        )
        stdout.print(f"modes    {shares}")
        stdout.print(f"coin     p = {coin['p_current']}, bounds {coin['p_bounds']}")
        stdout.print(f"T7(p)    {coin['t7_model_at_lo']:.4%} .. {coin['t7_model_at_hi']:.4%}")
        needed = [coin[name] for name in ("p_needed_for_b_low_edge_0_03", "p_needed_for_bplus_low_edge_0_05")]
        stdout.print(f"needed   p for 0.03 and 0.05: {', '.join('-' if p is None else f'{p:.4f}' for p in needed)}")
        stdout.print(f"try      {found['candidate_shortlist']['p_virtual_hybrid_grid']}")
        move = found["required_reduction"]
        stdout.print(f"move     {move['to_b_count']:,} arrivals for B, {move['to_bplus_count']:,} for B+")
        stdout.print(f"verdict  {found['local_feasibility_verdict']['verdict']}")
        stdout.print(str(path), soft_wrap=True)

    return found, show


def _workshop(options: Mapping[str, Any], contracts: ContractSource) -> Workshop:
    from seg5b.backends.choose import choose_backend
    from seg5b.calibration import Workshop
    from seg5b.options import Tuning

    return Workshop(
        contracts,
        choose_backend(options["backend"], device=options["device"], threads=options["threads"]),
        TerminalReporter(stderr),
        Tuning(chunk_arrivals=options["chunk_arrivals"], event_logs=options["event_logs"]),
        options["threads"],
        lambda line: stderr.print(line, markup=False),
    )


@click.command()
@run_options
@backend_options
@click.option("--key", required=True, help="POLICY.KEY, as arrival_routing_policy_5B.hybrid_policy.p_virtual_hybrid.")
@click.option("--values", required=True, help="Values to try, separated by commas (at most 16).")
@json_option
@reporting
def sweep(key: str, values: str, **options: Any) -> Output:
    """Realise and score a run under other values of one policy key, each in a derived run beside it.

    Derived runs share every byte that stays the same by hard links; the base run and its policies are not touched.

    Example: seg5b sweep --key arrival_routing_policy_5B.hybrid_policy.p_virtual_hybrid --values 0.25,0.45
    """
    from seg5b.calibration import PolicyKey, run_sweep
    from seg5b.calibration.policies import parse_value

    root, contracts = open_run_options(options)
    wanted: list[Value] = [parse_value(text.strip()) for text in values.split(",") if text.strip()]
    found = run_sweep(root, _workshop(options, contracts), PolicyKey.parse(key), wanted)

    def show() -> None:
        table = Table("candidate", "T6", "T7", "T13", "lane s", "grade", title=str(found.key), title_justify="left")
        for row in found.rows:
            shown = ["-" if value is None else f"{value:.2%}" for value in (row.t6, row.t7, row.t13)]
            lane = "-" if row.lane_seconds is None else f"{row.lane_seconds:.1f}"
            table.add_row(row.label, *shown, lane, row.phase_grade)
        stdout.print(table)
        stdout.print(f"best {found.best.label} ({found.best.run_id})")

    return found.as_json(), show


@click.command()
@run_options
@backend_options
@click.option("--seeds", default="42,7,101,202", show_default=True, help="Seeds of the panel, separated by commas.")
@json_option
@reporting
def certify(seeds: str, **options: Any) -> Output:
    """Realise and score the same world under every seed and judge how much its gates vary.

    The world must carry the seeds: `seg5b world make --preset demo --seed 42 --seed 7 --seed 101 --seed 202`.

    Example: seg5b certify --seeds 42,7,101,202
    """
    from seg5b.calibration import certify as certify_panel
    from seg5b.calibration.certify import certification_json, stability_json

    try:
        chosen = [int(seed) for seed in seeds.split(",")]
    except ValueError:
        raise click.UsageError(f"--seeds {seeds!r} is not a list of numbers") from None
    root, contracts = open_run_options(options)
    found = certify_panel(root, _workshop(options, contracts), chosen)

    def show() -> None:
        table = Table("seed", "run", "S5", "T6", "T7", "hard", "major", "below B+", title="panel")
        for row in found.rows:
            shown = ["-" if row["metrics"][name] is None else f"{row['metrics'][name]:.4%}" for name in ("T6", "T7")]
            lists = [
                " ".join(row[name]) or "none" for name in ("hard_failures", "major_failures", "major_bplus_failures")
            ]
            table.add_row(str(row["seed"]), row["run_id"][:8], row["s5_status"], *shown, *lists)
        stdout.print(table)
        for reason in found.veto_reasons:
            stdout.print(f"veto: {reason}")
        stdout.print(f"T10: overall CV {found.overall_cv:.6f}, class {found.grade_class}")
        stdout.print(f"{found.decision}, {found.freeze}")

    status = "FAIL" if found.decision == "HOLD_P4_REMEDIATE" else "PASS"
    payload = {**certification_json(root, found), "rows": list(found.rows), "stability": stability_json(found)}
    return {"status": status, **payload}, show


@click.command()
@click.option(
    "--runs-root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that holds the runs. [default: $SEG5B_RUNS_ROOT or ./runs]",
)
@click.option("--keep", multiple=True, help="Run to keep whatever it is. Repeatable.")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(["failed", "superseded", "derived"]),
    multiple=True,
    help="What may go. Repeatable. [default: all three]",
)
@click.option("--confirm", is_flag=True, help="Remove; without it nothing is touched.")
@json_option
@reporting
def prune(runs_root: Path | None, keep: tuple[str, ...], kinds: tuple[str, ...], confirm: bool) -> Output:
    """List, or with --confirm remove, failed and derived runs and what reseals set aside.

    Example: seg5b prune --kind derived --confirm
    """
    from seg5b.calibration import plan_prune
    from seg5b.calibration import prune as prune_plan
    from seg5b.calibration.prune import KINDS
    from seg5b.runs.root import default_runs_root

    plan = plan_prune(runs_root or default_runs_root(), keep=keep, kinds=kinds or KINDS)
    done = prune_plan(plan) if confirm else None

    def show() -> None:
        for item in plan.doomed:
            stdout.print(f"{item.kind:<10} {item.size_bytes / 1e6:>10.1f} MB  {item.path}", soft_wrap=True)
        for name, why in plan.kept:
            stdout.print(f"kept                      {name}  {why}", soft_wrap=True)
        if done is None:
            stdout.print(
                f"would give back {sum(i.size_bytes for i in plan.doomed) / 1e6:.1f} MB; add --confirm to remove"
            )
            return
        for path, why in done.errors:
            stdout.print(f"could not remove {path}: {why}", soft_wrap=True)
        stdout.print(f"removed {len(done.removed)}, gave back {done.reclaimed_mb:.1f} MB")

    payload = {
        "dry_run": done is None,
        "doomed": [{"path": str(i.path), "kind": i.kind, "size_bytes": i.size_bytes} for i in plan.doomed],
        "kept": [{"run_id": name, "reason": why} for name, why in plan.kept],
        "removed": [str(item.path) for item in done.removed] if done else [],
        "errors": [{"path": path, "what": why} for path, why in done.errors] if done else [],
        "reclaimed_mb": done.reclaimed_mb if done else 0.0,
    }
    return {"status": "FAIL" if done and done.errors else "PASS", **payload}, show


@click.command()
@run_options
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Output of an earlier `seg5b bench --json`, or a segment_state_runs.jsonl.",
)
@json_option
@reporting
def bench(baseline: Path | None, **options: Any) -> Output:
    """Score the times of a run's states: shares, budget colours of the reference world, hotspots, change to a baseline.

    Exit status 1 when a state is slower than the baseline by more than a fifth.

    Example: seg5b bench --baseline before.json
    """
    from seg5b.calibration import score_performance
    from seg5b.calibration.performance import elapsed_csv
    from seg5b.realism.files import write_report

    root, _ = open_run_options(options)
    report = score_performance(root, baseline)
    write_report(root, "performance.json", report)
    write_report(root, "performance_states.csv", elapsed_csv(report))

    def show() -> None:
        table = Table(
            "state", "seconds", "share", "budget", "baseline s", "change", title=f"run {root.identity.run_id}"
        )
        for each in report["states"]:
            change = each["regression_fraction"]
            before = "-" if each["baseline_s"] is None else f"{each['baseline_s']:.2f}"
            shown = "-" if change is None else f"{change:+.1%}"
            table.add_row(
                each["state"], f"{each['elapsed_s']:.2f}", f"{each['segment_share']:.1%}", each["colour"], before, shown
            )
        stdout.print(table)
        stdout.print(f"hotspots {', '.join(each['state'] for each in report['hotspots'])}; {report['verdict']}")
        if not report["lanes_measured"]:
            stdout.print("lanes within a state are not measured: the records carry no timers of their own")

    return {"status": "FAIL" if report["slower_than_baseline"] else "PASS", **report}, show


COMMANDS = (score, explain, sensitivity, sweep, certify, prune, bench)
