"""`seg5b run` and `seg5b s0` .. `seg5b s5`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from seg5b.cli.common import (
    CommandOutput,
    backend_options,
    compute_of,
    engine_of,
    json_option,
    open_run_options,
    reporting,
    run_options,
    tuning_of,
)
from seg5b.cli.terminal import progress_reporter, stdout
from seg5b.options import GateOptions, Options, ValidationOptions
from seg5b.pipeline import STATE_IDS, STATES, run_states, states_between
from seg5b.session import State

if TYPE_CHECKING:
    from seg5b.session import RunResult


def realise(
    options: Mapping[str, Any],
    state_ids: Sequence[str],
    *,
    gate: GateOptions = GateOptions(),
    validation: ValidationOptions = ValidationOptions(),
    recompute: bool = False,
    seed: int | None = None,
    scenarios: Sequence[str] = (),
) -> RunResult:
    """Run states with the values of `run_options` and `backend_options`, of the run that they name or of one derived from
    it."""
    from seg5b.api import drawn_root

    root, contracts = open_run_options(options, to_write=True)
    engine, tuning = engine_of(options), tuning_of(options)
    return run_states(
        drawn_root(root, contracts, seed, scenarios),
        contracts,
        state_ids,
        reporter=progress_reporter(),
        options=Options(gate, tuning, validation, engine, recompute, compute_of(options)),
    )


def payload_of(result: RunResult) -> dict[str, Any]:
    """The machine-readable form of a result."""
    states = [{"state": s.state, "seconds": round(s.seconds, 3), "record": dict(s.record)} for s in result.states]
    return {
        "status": result.status,
        "run_id": result.run_id,
        "path": str(result.path),
        "seed": result.seed,
        "scenarios": list(result.scenarios),
        "derived_from": result.derived_from,
        "backend": dict(result.backend),
        "states": states,
    }


def show_result(result: RunResult) -> None:
    """A short table of what each state did."""
    table = Table("state", "seconds", "result", "what", title=f"run {result.run_id}", title_justify="left")
    for state in result.states:
        table.add_row(
            state.state, f"{state.seconds:.1f}", str(state.record["status"]), headline(state.state, state.record)
        )
    stdout.print(table)
    for state in result.states:
        for check_id in state.record.get("warned", ()):
            stdout.print(f"warning {check_id}: see the validation report")
    stdout.print(f"backend {result.backend['backend']} ({result.backend['reason']})", soft_wrap=True)
    if all(state.record.get("outcome") == "unchanged" for state in result.states):
        stdout.print("nothing changed: every output was there already, byte for byte")


def headline(state: str, record: Mapping[str, Any]) -> str:
    """What a state made, in one line."""
    if state == "S0":
        sealed, bundles = record["sealed_inputs_row_count_total"], record["upstream_pass_count"]
        return f"{sealed} inputs sealed, {bundles} upstream bundles hold"
    if state == "S1":
        buckets, series = record["total_bucket_count"], record["total_grouping_rows"]
        return f"{buckets:,} buckets, {series:,} series, {record['total_unique_group_ids']:,} groups"
    if state == "S2":
        return f"{record['total_rows_written']:,} intensities, largest {record['lambda_realised_max']:,.0f}"
    if state == "S3":
        return f"{record['sum_count_N']:,} arrivals in {record['total_rows_written']:,} buckets"
    if state == "S4":
        share = record["total_virtual"] / max(record["total_arrivals"], 1)
        return f"{record['total_arrivals']:,} arrivals, {share:.2%} virtual"
    counted = ", ".join(f"{count} {verdict}" for verdict, count in record["checks"].items())
    again = record.get("metrics", {}).get("rederived", {})
    rows = sum(own.get("rederived_arrivals", 0) for own in again.values() if isinstance(own, dict))
    told = f"; {rows:,} arrivals derived again as asked" if again else ""
    return f"checks: {counted}{told}; bundle {record['bundle_digest'][:12]}"


_STATE = click.Choice(STATE_IDS, case_sensitive=False)
_RECOMPUTE = click.option(
    "--recompute", is_flag=True, help="Compute again what is finished and unchanged; outputs are compared."
)


@click.command(epilog="\b\n" + "\n".join(f"{state.id}  {state.purpose}" for state in STATES))
@run_options
@click.option("--from", "first", type=_STATE, default=STATE_IDS[0], show_default=True, help="First state.")
@click.option("--to", "last", type=_STATE, default=STATE_IDS[-1], show_default=True, help="Last state.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    help="Realise this seed of the world. [default: that of the run]",
)
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    help="Realise only this scenario. Repeatable. [default: those of the run]",
)
@_RECOMPUTE
@backend_options
@json_option
@reporting
def run(
    first: str, last: str, seed: int | None, scenarios: tuple[str, ...], recompute: bool, **options: Any
) -> CommandOutput:
    """Realise a run, from one state to another; without options all of them.

    Outputs that exist are never replaced. A state that is finished, and whose inputs, code and outputs are unchanged, is
    recognised by digests; --recompute computes it again and compares.

    Another --seed, or some of the scenarios, is a run of its own, derived from this one and made beside it the first time.
    The run id is printed on the last line.

    Example: seg5b run --seed 7 --scenario baseline_v1 --to S4
    """
    if STATE_IDS.index(last) < STATE_IDS.index(first):
        raise click.UsageError(f"--from {first} comes after --to {last}: exchange them")
    result = realise(options, states_between(first, last), recompute=recompute, seed=seed, scenarios=scenarios)

    def show() -> None:
        show_result(result)
        stdout.print(result.run_id)

    return payload_of(result), show


def _state_command(state: State, extra: Sequence[Callable[..., Any]] = ()) -> click.Command:
    def body(**options: Any) -> CommandOutput:
        gate = GateOptions(options.pop("depth", "content"), options.pop("reseal", False))
        validation = ValidationOptions(options.pop("mode", None), options.pop("rederive", None))
        recompute = options.pop("recompute", False)
        result = realise(options, (state.id,), gate=gate, validation=validation, recompute=recompute)
        return payload_of(result), lambda: show_result(result)

    name = state.id.lower()
    body.__doc__ = f"{state.id}: {state.purpose}.\n\n    Example: seg5b {name} --runs-root runs\n"
    command = reporting(body)
    for option in (json_option, backend_options, *reversed(extra), run_options):
        command = option(command)
    return click.command(name=name)(command)


_RESEAL = click.option(
    "--reseal", is_flag=True, help="Set the present gate and all 5B outputs aside (<run>/superseded/) and seal anew."
)
_DEPTH = click.option(
    "--gate-depth",
    "depth",
    type=click.Choice(["content", "digest"]),
    default="content",
    show_default=True,
    help="content checks every member digest of the upstream bundles; digest is for runs whose members were pruned.",
)
_MODE = click.option(
    "--mode",
    type=click.Choice(["full", "sampled"]),
    help="Scan everything, or a sample spread over the data by the policy's sample laws; "
    "without it, what validation_policy_5B says.",
)


class _AllOrNumber(click.ParamType):  # type: ignore[type-arg] # generic in some releases only
    """``all``, or a whole number above 0."""

    name = "all|N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """``all`` or the number. Raises `click.BadParameter`."""
        if value != "all" and not (str(value).isdecimal() and 0 < int(value) < 2**31):
            self.fail(f"{value!r} is neither all nor a number above 0", param, ctx)
        return value if value == "all" else int(value)


_REDERIVE = click.option(
    "--rederive",
    type=_AllOrNumber(),
    help="Beyond the policy's sample, derive everything again from the sealed inputs, or so many arrivals and counts of each "
    "scenario, by code that shares nothing with what made them, and compare. The bundle stays what it is.",
)
_OWN = {"S0": (_RESEAL, _DEPTH), "S5": (_MODE, _REDERIVE, _RECOMPUTE)}

STATE_COMMANDS = tuple(_state_command(state, _OWN.get(state.id, (_RECOMPUTE,))) for state in STATES)
