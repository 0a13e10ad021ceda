"""`seg5b sensitivity`, `sweep` and `certify`: what policies can move, candidates, and the panel of seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from seg5b.cli.common import (
    CommandOutput,
    backend_options,
    compute_of,
    engine_of,
    json_option,
    memory_option,
    open_run_options,
    reporting,
    run_options,
    threads_option,
    tuning_of,
)
from seg5b.cli.terminal import progress_reporter, stderr, stdout
from seg5b.options import DEFAULT_MEMORY_GB

if TYPE_CHECKING:
    from seg5b.calibration import CandidateRunner
    from seg5b.calibration.agreement import Agreement
    from seg5b.calibration.panel import Variation
    from seg5b.calibration.panel_budgets import Budget
    from seg5b.contracts import ContractSource
    from seg5b.runs.root import RunRoot


@click.command()
@run_options
@threads_option
@memory_option
@json_option
@reporting
def sensitivity(threads: int | None, memory_gb: float | None, **options: Any) -> CommandOutput:
    """Show how far p_virtual_hybrid moves the virtual share (T7), which merchants and classes make up the ten
    busiest zones (T6), which cohorts would bring T7 into its band, and whether that is for the segments before 5B.

    Example: seg5b sensitivity --json
    """
    from seg5b.calibration import analyse
    from seg5b.calibration.leverage import told
    from seg5b.calibration.sensitivity import summary, write_analysis

    root, contracts = open_run_options(options)
    analysed = analyse(root, contracts, threads=threads, memory_limit_gb=memory_gb or DEFAULT_MEMORY_GB)
    paths, found = write_analysis(root, analysed), summary(analysed)

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
        lever, reopen = found["t7_leverage"], found["upstream_reopen"]
        for flip in lever["flips"][:3]:
            stdout.print(f"lever    {told(flip)}", soft_wrap=True, markup=False)
        stdout.print(f"reopen   {reopen['decision']}: {reopen['reason']}", soft_wrap=True)
        for gate_id, owner in reopen["owners"].items():
            if owner["command"]:
                stdout.print(f"{gate_id} try   {owner['command']}", soft_wrap=True, markup=False)
        stdout.print(str(paths["sensitivity.json"]), soft_wrap=True)

    return {**found, "files": {name: str(path) for name, path in paths.items()}}, show


def _runner(options: Mapping[str, Any], contracts: ContractSource) -> CandidateRunner:
    from seg5b.backends.choose import choose_backend
    from seg5b.calibration import CandidateRunner

    compute, engine = compute_of(options), engine_of(options)
    return CandidateRunner(
        contracts,
        None if engine.devices else choose_backend(compute.backend, device=compute.device),
        progress_reporter(),
        tuning_of(options),
        engine,
        lambda line: stderr.print(line, markup=False),
        compute,
    )


@click.command()
@run_options
@backend_options
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="POLICY.KEY=A,B",
    help="A key and the values to try, as arrival_routing_policy_5B.hybrid_policy.p_virtual_hybrid=0.25,0.45. Repeatable: "
    "every combination is tried.",
)
@click.option("--values", help="Values of the one --key, which then is POLICY.KEY alone.")
@click.option(
    "--bundle",
    "bundles",
    multiple=True,
    metavar="NAME:POLICY.KEY=A,...",
    help="A candidate that changes several keys together. Repeatable, beside keys or without.",
)
@click.option(
    "--most",
    type=click.IntRange(1, 256),
    default=16,
    show_default=True,
    help="Derived runs that may be made; more are refused before the first.",
)
@json_option
@reporting
def sweep(
    keys: tuple[str, ...], values: str | None, bundles: tuple[str, ...], most: int, **options: Any
) -> CommandOutput:
    """Realise and score a run under other values of policies, each candidate in a derived run beside it.

    Derived runs share every byte that stays the same by hard links; the base run and its policies are not touched.

    Example: seg5b sweep --key arrival_routing_policy_5B.hybrid_policy.p_virtual_hybrid=0.25,0.45
    """
    from seg5b.calibration import grid, run_sweep
    from seg5b.calibration.variants import parse_axis, parse_bundle

    if values is not None and (len(keys) != 1 or "=" in keys[0]):
        raise click.UsageError("--values belongs to one --key POLICY.KEY")
    if not keys and not bundles:
        raise click.UsageError("name what to try: --key POLICY.KEY=A,B or --bundle NAME:POLICY.KEY=A,POLICY.KEY=B")
    axes = [parse_axis(f"{key}={values}" if values is not None else key) for key in keys]
    if len(dict(axes)) < len(axes):
        raise click.UsageError("a key has all of its values in one --key")
    root, contracts = open_run_options(options)
    variants = [*grid(dict(axes)), *map(parse_bundle, bundles)]
    found = run_sweep(root, _runner(options, contracts), variants, most=most)

    def show() -> None:
        columns = found.columns
        table = Table("candidate", *columns.values(), "T6", "T7", "T13", "lane s", "grade")
        for row in found.rows:
            tried = ["-" if row.values[key] is None else str(row.values[key]) for key in columns]
            shown = ["-" if value is None else f"{value:.2%}" for value in (row.t6, row.t7, row.t13)]
            lane = "-" if row.lane_seconds is None else f"{row.lane_seconds:.1f}"
            table.add_row(row.label, *tried, *shown, lane, row.phase_grade)
        stdout.print(table)
        stdout.print(f"best {found.best.label} ({found.best.run_id})")

    return found.as_json(), show


@click.command()
@run_options
@backend_options
@click.option("--seeds", help="Seeds of the panel, separated by commas. [default: 42,7,101,202; of a witness 42,7]")
@click.option(
    "--least-seeds",
    type=click.IntRange(2),
    help="Certify any panel of so many seeds or more. [default: the four of the reference]",
)
@click.option(
    "--witness",
    "as_witness",
    is_flag=True,
    help="A few seeds before a whole panel: gates, laws and lane, with a word of its own. T10 stays what it is.",
)
@json_option
@reporting
def certify(seeds: str | None, least_seeds: int | None, as_witness: bool, **options: Any) -> CommandOutput:
    """Realise and score the same world under every seed and judge whether its totals lie as near to what the laws expect, and
    differ as much between seeds, as they should; and whether any two seeds share random numbers.

    A world of the law derived_v1 takes any seed. Others must carry the seeds: `seg5b world make --preset demo --seed 42
    --seed 7 --seed 101 --seed 202`.

    Example: seg5b certify --seeds 42,7,101,202
    """
    from seg5b.calibration.witness import SEEDS
    from seg5b.realism.laws import REQUIRED_SEEDS

    if as_witness and least_seeds is not None:
        raise click.UsageError("--least-seeds is a certification's: a witness takes two seeds or more")
    try:
        chosen = [int(seed) for seed in seeds.split(",")] if seeds else list(SEEDS if as_witness else REQUIRED_SEEDS)
    except ValueError:
        raise click.UsageError(f"--seeds {seeds!r} is not a list of numbers") from None
    root, contracts = open_run_options(options)
    runner = _runner(options, contracts)
    return _witnessed(root, runner, chosen) if as_witness else _certified(root, runner, chosen, least_seeds)


def _certified(root: RunRoot, runner: CandidateRunner, seeds: list[int], least: int | None) -> CommandOutput:
    from seg5b.calibration import certify as certify_panel
    from seg5b.calibration.certify import certification_json, stability_json

    found = certify_panel(root, runner, seeds, least=least)

    def show() -> None:
        _show_panel(found.rows, found.variations, found.agreements, found.veto_reasons, "veto")
        stdout.print(f"T10: overall CV {found.overall_cv:.6f}, class {found.grade_class}")
        _show_budgets(found.budgets)
        stdout.print(f"{found.decision}, {found.freeze}")

    status = "FAIL" if found.decision == "HOLD_P4_REMEDIATE" else "PASS"
    payload = {**certification_json(root, found), "rows": list(found.rows), "stability": stability_json(found)}
    compared = {
        "variations": [each.as_json() for each in found.variations],
        "agreements": [each.as_json() for each in found.agreements],
    }
    return {"status": status, **payload, "panel": compared}, show


def _witnessed(root: RunRoot, runner: CandidateRunner, seeds: list[int]) -> CommandOutput:
    from seg5b.calibration.witness import witness, witness_json

    found = witness(root, runner, seeds)

    def show() -> None:
        panel = found.panel
        _show_panel(panel.rows, panel.variations, panel.agreements, found.reasons, "hold")
        _show_budgets(found.budgets)
        stdout.print(f"{found.decision}, {found.branch}")

    status = "FAIL" if found.reasons else "PASS"
    return {"status": status, **witness_json(found)}, show


def _show_panel(
    rows: Sequence[Mapping[str, Any]],
    variations: Sequence[Variation],
    agreements: Sequence[Agreement],
    reasons: Sequence[str],
    word: str,
) -> None:
    """A line per seed, what the seeds were compared in, and every reason against them."""
    table = Table("seed", "run", "S5", "T6", "T7", "hard", "major", "below B+", title="panel")
    for row in rows:
        shown = ["-" if row["metrics"][name] is None else f"{row['metrics'][name]:.4%}" for name in ("T6", "T7")]
        lists = [" ".join(row[name]) or "none" for name in ("hard_failures", "major_failures", "major_bplus_failures")]
        table.add_row(str(row["seed"]), row["run_id"][:8], row["s5_status"], *shown, *lists)
    stdout.print(table)
    stdout.print(_variations([str(row["seed"]) for row in rows], variations))
    stdout.print(_agreements(agreements))
    for reason in reasons:
        stdout.print(f"{word}: {reason}", soft_wrap=True, markup=False)


def _show_budgets(budgets: Sequence[Budget]) -> None:
    for each in budgets:
        stdout.print(each.shown, soft_wrap=True, markup=False)


def _variations(seeds: Sequence[str], variations: Sequence[Variation]) -> Table:
    """Each total of each seed in standard deviations from what the law expects, and the chances of so much bias, of so much
    and of so little variation."""
    table = Table(
        "scenario", "total", *seeds, "bias", "more", "less",
        title="standard deviations from the law, by seed; chances of as much bias, as much and as little variation",
        title_justify="left",
    )  # fmt: skip
    for each in variations:
        chances = (f"{p:.2g}" for p in (each.bias_p, each.more_p, each.less_p))
        table.add_row(each.scenario_id, each.name, *(f"{z:+.2f}" for z in each.z), *chances)
    return table


def _agreements(agreements: Sequence[Agreement]) -> Table:
    """Of each thing that seeds are compared in, the two seeds that agree most beyond chance."""
    table = Table(
        "scenario", "compared", "pairs", "most", "seeds",
        title="agreement of two seeds beyond chance, in standard deviations", title_justify="left",
    )  # fmt: skip
    worst: dict[tuple[str, str], Agreement] = {}
    for each in agreements:
        key = (each.scenario_id, each.name)
        worst[key] = max(worst.get(key, each), each, key=lambda one: abs(one.z))
    for (scenario, name), each in worst.items():
        table.add_row(scenario, name, f"{each.pairs:,}", f"{each.z:+.2f}", f"{each.seeds[0]} and {each.seeds[1]}")
    return table
