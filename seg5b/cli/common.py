"""What commands share: options, output, and how failures end."""

from __future__ import annotations

import errno
import functools
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from seg5b.cli.environment import answered
from seg5b.cli.terminal import end_of_pipe, hint, log_to_stderr, manner_of, manner_options, program
from seg5b.options import DEFAULT_MEMORY_GB, ENGINES, EVENT_FORMS, ComputeOptions, EngineOptions, Tuning
from seg5b.refusals import refuse_little_address_space, typed

if TYPE_CHECKING:
    from seg5b.contracts import ContractSource
    from seg5b.export.targets import Target
    from seg5b.runs.root import RunRoot

Command = Callable[..., Any]
CommandOutput = tuple[Mapping[str, Any], Callable[[], None]]
"""What a command body returns: the mapping for ``--json``, and the function that prints the human form."""


class _MerchantId(click.ParamType):  # type: ignore[type-arg] # generic in some releases only
    """An unsigned 64-bit number, also with the prefix that exports write before ids."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        digits = str(value).removeprefix("id_")
        if not (digits.isascii() and digits.isdigit() and int(digits) < 1 << 64):
            self.fail(f"{value!r} is no id: a number below 2^64, or id_ and such a number", param, ctx)
        return int(digits)


MERCHANT_ID = _MerchantId()


def json_option(command: Command) -> Command:
    """``--json``: the command returns one mapping, which is printed as JSON instead of text; and how much it tells."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON result on stdout.")(
        manner_options(command)
    )


runs_root_option = click.option(
    "--runs-root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that holds the runs. [default: $SEG5B_RUNS_ROOT or ./runs]",
)


def run_options(command: Command) -> Command:
    """Which run, and where its contracts are."""
    options = (
        runs_root_option,
        click.option("--run-id", help="Run to work on: its id, or how that begins, or latest. [default: latest]"),
        click.option(
            "--contracts-root",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            help="Root of other contracts than the packaged ones. [default: $SEG5B_CONTRACTS_ROOT]",
        ),
        click.option(
            "--contracts-layout",
            type=click.Choice(["contracts", "model_spec"]),
            default="contracts",
            show_default=True,
            help="Layout below --contracts-root.",
        ),
        click.option(
            "--external-root",
            "external_roots",
            multiple=True,
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            help="Where to look for config/ files that the run does not carry, before those of the package. Repeatable.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


memory_option = click.option(
    "--memory",
    "memory_gb",
    type=click.FloatRange(0.2),
    help="Memory to be content with, 10^9 bytes: fewer parts side by side, and queries that spill to disk. "
    f"[default: {DEFAULT_MEMORY_GB:g} for queries]",
)


backend_option = click.option(
    "--backend",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto takes CUDA when a usable device is present; S0, S1 and S5 need none. The bytes are the same.",
)
device_option = click.option(
    "--device", type=click.IntRange(0), default=0, show_default=True, help="Number of the CUDA device."
)
frames_option = click.option(
    "--frames",
    type=click.Choice(["auto", "arrow", "cudf"]),
    default="auto",
    show_default=True,
    help="What reads columns of Parquet: Arrow on the host, cudf on a CUDA device; auto takes cudf for large runs.",
)
chunk_option = click.option(
    "--chunk-arrivals",
    type=click.IntRange(1000),
    help="Arrivals computed at a time: memory, not content. [default: what suits the backend]",
)


def backend_options(command: Command) -> Command:
    """Those of `computing_options`, and whether every random event is logged."""
    logs = click.option(
        "--event-logs",
        type=click.Choice(EVENT_FORMS),
        is_flag=False,
        flag_value=EVENT_FORMS[0],
        help="Also log every random event (large), as JSON lines unless it says parquet.",
    )
    check = click.option(
        "--event-check",
        type=click.Choice(["sample", "all"]),
        default="sample",
        show_default=True,
        help="Which records of event logs are held against their contract: the first 1,000 and a sample of the others, or all.",
    )
    return computing_options(logs(check(command)))


def computing_options(command: Command) -> Command:
    """Which backend computes, what reads columns for it, in chunks of which size, on how many threads, by which engine."""
    options = (
        backend_option,
        device_option,
        click.option(
            "--devices",
            metavar="all|0,1",
            help="CUDA devices of this machine, numbers or names: a Dask worker for each makes the parts of S2-S4.",
        ),
        frames_option,
        click.option(
            "--threads",
            type=click.IntRange(1),
            help="Parts that are made side by side, one thread each. [default: one per core]",
        ),
        chunk_option,
        memory_option,
    )
    for option in reversed(options):
        command = option(command)
    return engine_options(command)


def engine_options(command: Command) -> Command:
    """Where parts are made and looked at."""
    options = (
        click.option(
            "--engine",
            type=click.Choice(ENGINES),
            default="local",
            show_default=True,
            help="Where parts are made: threads of this process, or the workers of a Dask cluster. The bytes are the same.",
        ),
        click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler, as tcp://10.0.0.1:8786."),
        click.option(
            "--workers",
            type=click.IntRange(1),
            help="Dask without a scheduler: processes of this machine. [default: 1]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def compute_of(options: Mapping[str, Any]) -> ComputeOptions:
    """What computes, from the values of `computing_options`."""
    return ComputeOptions(options["backend"], options["device"], options["frames"])


def engine_of(options: Mapping[str, Any]) -> EngineOptions:
    """Where parts are made, from the values of `engine_options` or `computing_options`. Raises `click.UsageError` for choices
    that do not go together, and as `seg5b.engines.parse_devices`."""
    name, scheduler, workers = (options[key] for key in ("engine", "scheduler", "workers"))
    if options.get("devices") is not None:
        return _with_devices(options)
    if name != "dask" and (scheduler or workers):
        raise click.UsageError("--scheduler and --workers belong to --engine dask")
    if scheduler and workers:
        raise click.UsageError("a scheduler has its own workers: leave out --workers")
    return EngineOptions(name, scheduler, workers or 1, options.get("backend", "auto"))


def _with_devices(options: Mapping[str, Any]) -> EngineOptions:
    if options["scheduler"] or options["workers"] or options["device"]:
        raise click.UsageError("--devices has a worker for each: leave out --scheduler, --workers and --device")
    if options["backend"] == "cpu":
        raise click.UsageError("--devices are CUDA devices: leave out --backend cpu")
    from seg5b.engines import parse_devices

    return EngineOptions("dask", backend="cuda", devices=parse_devices(options["devices"]))


threads_option = click.option(
    "--threads", type=click.IntRange(1), help="Parts and queries that are worked on side by side. [default: all cores]"
)


def tuning_of(options: Mapping[str, Any]) -> Tuning:
    """How work is cut, from the values of `computing_options` or `backend_options`."""
    threads = options["threads"] or Tuning().threads
    events = {name: options[name] for name in ("event_logs", "event_check") if name in options}
    return Tuning(options["chunk_arrivals"], threads, memory_gb=options["memory_gb"], **events)


def reporting(command: Command) -> Command:
    """Run a command body that returns ``(payload, show)``: the mapping for ``--json`` and the function that prints the
    human form. A failure ends in one line and exit status 1, or in JSON with ``ok: false``; so does an interruption, with
    exit status 130 (Ctrl-C) or 143 (SIGTERM)."""

    @functools.wraps(command)
    def wrapped(*args: Any, as_json: bool, **options: Any) -> None:
        log_to_stderr(manner_of(options))
        _end_on_sigterm()
        try:
            refuse_little_address_space()
            answered()
            payload, show = command(*args, **options)
            if as_json:
                click.echo(json.dumps({"ok": True, **payload}, sort_keys=True))
            else:
                show()
        except click.ClickException:
            raise
        except (Exception, KeyboardInterrupt) as cause:
            if isinstance(cause, OSError) and cause.errno == errno.EPIPE:
                end_of_pipe()
            _end(cause, as_json=as_json)
        if payload.get("status") == "FAIL":
            raise SystemExit(1)

    return wrapped


class _Terminated(KeyboardInterrupt):
    """SIGTERM, ended as Ctrl-C is."""


def _end_on_sigterm() -> None:
    def terminate(*_: object) -> None:
        raise _Terminated

    with suppress(ValueError):  # not the main thread: whoever is decides
        signal.signal(signal.SIGTERM, terminate)


def _end(cause: BaseException, *, as_json: bool) -> NoReturn:
    failure, status = typed(cause, "RUN"), 1
    if isinstance(cause, KeyboardInterrupt):
        status = 128 + (signal.SIGTERM if isinstance(cause, _Terminated) else signal.SIGINT)
    with suppress(OSError):
        if as_json:
            record = {} if failure.record is None else {"record": failure.record}
            click.echo(json.dumps({"ok": False, "error": failure.as_dict(), **record}, sort_keys=True, default=str))
        else:
            again = f" (`{program()} {shlex.join(sys.argv[1:])}`)" if isinstance(cause, KeyboardInterrupt) else ""
            click.echo(f"error {hint(str(failure))}{again}", err=True)
    raise SystemExit(status) from None


def open_run_options(options: Mapping[str, Any], *, to_write: bool = False) -> tuple[RunRoot, ContractSource]:
    """Run folder and contracts from the values of `run_options`. Whoever only reads is told on stderr, in one line, if another
    process writes to the run meanwhile."""
    from seg5b.contracts import ContractSource
    from seg5b.resources import resource_root
    from seg5b.runs.lock import writer_of
    from seg5b.runs.naming import find_run_id
    from seg5b.runs.root import default_runs_root, open_root

    contracts_root = options["contracts_root"] or os.environ.get("SEG5B_CONTRACTS_ROOT")
    if contracts_root:
        contracts = ContractSource.open(Path(contracts_root), options["contracts_layout"])
    else:
        contracts = ContractSource.packaged()
    roots = (*options["external_roots"], resource_root())
    folder = options["runs_root"] or default_runs_root()
    root = open_root(folder, find_run_id(folder, options["run_id"]), roots)
    writer = "" if to_write else writer_of(root)
    if writer:
        click.echo(f"{writer} is writing to this run: what it has published is read", err=True)
    return root, contracts


def page_target(out: str | None, overwrite: bool) -> Target | None:
    """Where a page goes, refused before anything is computed; None for none. Raises as `seg5b.export.targets.target_of`."""
    if out is None:
        return None
    from seg5b.export.targets import target_of

    return target_of(out, overwrite=overwrite, folder=False, binary=False)


def write_page(target: Target | None, page: Callable[[], str]) -> None:
    """Make the page and put it there, whole or not at all; nothing where there is no target. Raises as the target does."""
    if target is not None:
        with target, closing(target.open("")) as stream:
            stream.write(page().encode())
