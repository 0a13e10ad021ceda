"""`seg5b world`: synthetic upstream worlds."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from seg5b.cli.common import Command, CommandOutput, json_option, reporting
from seg5b.cli.terminal import program, progress_reporter, stdout
from seg5b.progress import StepProgress

if TYPE_CHECKING:
    from seg5b.world import World

PRESETS = (
    "demo", "small", "reference", "large",
    "demo_classic", "small_classic", "reference_classic", "large_classic", "reference_as_found",
)  # fmt: skip


@click.group()
def world() -> None:
    """Make synthetic upstream worlds: everything that segments 1A-5A would have written."""


def made_world(
    preset: str, seeds: tuple[int, ...], runs_root: Path | None, unique_keys: bool
) -> tuple[str, Path, Mapping[str, Any]]:
    """Make a world with progress; returns run id, run folder and the comparison with the calibration targets."""
    from seg5b.runs.root import default_runs_root
    from seg5b.world import make_world, world_summary

    root = runs_root or default_runs_root()
    with StepProgress(progress_reporter(), "steps") as progress:
        run_id = make_world(preset, seeds=seeds, runs_root=root, unique_keys=unique_keys, progress=progress)
        _lay_places(root, run_id, progress)
    return run_id, root / run_id, world_summary(root / run_id)


def _lay_places(root: Path, run_id: str, progress: StepProgress) -> None:
    """Lay sites, edges and merchants beside the data, for programs that join them with arrivals."""
    from seg5b.contracts import ContractSource
    from seg5b.places import lay_places
    from seg5b.runs.alone import alone
    from seg5b.runs.root import open_root

    with alone(root / f".world_{run_id}.lock"):
        lay_places(open_root(root, run_id), ContractSource.packaged(), progress)


def _change_options(command: Command) -> Command:
    """What a command changes of a specification before it uses it."""
    change = click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set a key of the specification, as merchants.count=50; the value is YAML, null takes the key away. Repeatable.",
    )
    scale = click.option(
        "--scale",
        type=click.FloatRange(0, min_open=True),
        help="Times the volume. Sites follow by their law; merchants, places and calendar stay.",
    )
    release = click.option(
        "--tzdata",
        metavar="VERSION",
        help="Release of the time-zone database, as 2026f or 2026.6: one that is shipped, or that of the installed tzdata "
        "package. [default: what the specification says]",
    )
    return change(scale(release(command)))


def _changed(own: World, assignments: tuple[str, ...], scale: float | None, tzdata: str | None) -> World:
    from seg5b.world.spec.source import assignments as parsed

    own = own.with_(parsed(assignments)) if assignments else own
    own = own if tzdata is None else own.with_(time_zone_release=tzdata)
    return own if scale is None else own.scaled(scale)


@world.command()
@click.option("--preset", type=click.Choice(PRESETS), help="Write the specification of a preset instead.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=Path("world.yaml"))
@json_option
@reporting
def init(preset: str | None, file: Path) -> CommandOutput:
    """Write a commented specification of a world to FILE (world.yaml): to be edited, checked and made.

    A file that is there is left as it is, and that is an error.

    Example: seg5b world init shops.yaml
    """
    from seg5b.world.spec.template import write_template

    write_template(file, preset)

    def show() -> None:
        stdout.print(f"wrote {file}", soft_wrap=True)
        stdout.print(f"next: {program()} world check {file}", soft_wrap=True)

    return {"file": str(file)}, show


@world.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_change_options
@json_option
@reporting
def check(file: Path, assignments: tuple[str, ...], scale: float | None, tzdata: str | None) -> CommandOutput:
    """Validate a specification and forecast rows, bytes, seconds and memory of its world and run.

    The population is made, the surfaces are not. Its largest places are shown beside public shares. A fault is told with key,
    value, reason and remedy.

    Example: seg5b world check shops.yaml --set bucket_seconds=900
    """
    from seg5b.world import World

    own = _changed(World.from_file(file), assignments, scale, tzdata)
    with StepProgress(progress_reporter(), "steps") as progress:
        forecast, notes = own.check(progress=progress), own.notes
    found, places = forecast.as_dict(), [asdict(place) for place in forecast.largest_places]

    def show() -> None:
        table = Table("forecast", "", title=f"world {own.name}: {file} is sound", title_justify="left")
        for name, figure in found.items():
            table.add_row(name, _text(figure))
        stdout.print(table)
        stdout.print(_place_table(places))
        for note in notes:
            stdout.print(f"note: {note}", soft_wrap=True)
        changes = [f"--set {shlex.quote(each)}" for each in assignments]
        changes += [f"--scale {scale:g}"] if scale is not None else []
        changes += [f"--tzdata {shlex.quote(tzdata)}"] if tzdata is not None else []
        stdout.print(
            f"next: {program()} world make --spec {' '.join([shlex.quote(str(file)), *changes])}", soft_wrap=True
        )

    payload = {"file": str(file), "name": own.name, "forecast": found, "largest_places": places, "notes": notes}
    return {**payload, "specification": dict(own.document)}, show


@world.command()
@click.option("--preset", type=click.Choice(PRESETS), help="A world that comes with the package. [default: demo]")
@click.option("--spec", type=click.Path(path_type=Path, dir_okay=False), help="A specification: see world init.")
@_change_options
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(0, 2**64 - 1),
    multiple=True,
    help="Seed of the run; repeat it for a world that serves several seeds (the first is the receipt's). "
    "[default: those of the specification, 42 for presets]",
)
@click.option(
    "--runs-root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to make the run in. [default: $SEG5B_RUNS_ROOT or ./runs]",
)
@click.option("--unique-keys", is_flag=True, help="Presets: no merchant reaches one time zone through two countries.")
@json_option
@reporting
def make(
    preset: str | None,
    spec: Path | None,
    assignments: tuple[str, ...],
    scale: float | None,
    tzdata: str | None,
    seeds: tuple[int, ...],
    runs_root: Path | None,
    unique_keys: bool,
) -> CommandOutput:
    """Make a complete run root with receipt, upstream datasets, blobs, bundles and policies.

    The same arguments give the same bytes. The run id is printed on the last line.

    Example: seg5b world make --spec shops.yaml --set merchants.count=50 --seed 7
    """
    if preset and spec:
        raise click.UsageError("--preset and --spec both say which world: state one")
    if unique_keys and (spec or assignments or scale or tzdata):
        raise click.UsageError(
            "--unique-keys is for presets as they are: leave out --spec, --set, --scale and --tzdata"
        )
    if spec or assignments or scale or tzdata:
        run_id, path, summary = _made_own(spec, preset or "demo", assignments, scale, tzdata, seeds, runs_root)
    else:
        run_id, path, summary = made_world(preset or "demo", seeds or (42,), runs_root, unique_keys)
    title = f"world {spec}: what was made" if spec else f"world {preset or 'demo'} beside the calibration targets"

    def show() -> None:
        table = Table("figure", "target", "made", title=title, title_justify="left")
        for name, figure in summary.items():
            if isinstance(figure, Mapping) and "made" in figure:
                table.add_row(name, _text(figure.get("target")), _text(figure["made"]))
        stdout.print(table)
        stdout.print(f"next: {program()} run --runs-root {path.parent} --run-id {run_id}", soft_wrap=True)
        click.echo(run_id)

    return {"run_id": run_id, "path": str(path), "figures": dict(summary)}, show


def _made_own(
    spec: Path | None,
    preset: str,
    assignments: tuple[str, ...],
    scale: float | None,
    tzdata: str | None,
    seeds: tuple[int, ...],
    runs_root: Path | None,
) -> tuple[str, Path, Mapping[str, Any]]:
    """As `made_world`, of a specification or a changed preset."""
    from seg5b.runs.root import default_runs_root
    from seg5b.world import World, world_summary

    root = runs_root or default_runs_root()
    own = _changed(World.from_file(spec) if spec else World.from_preset(preset), assignments, scale, tzdata)
    with StepProgress(progress_reporter(), "steps") as progress:
        run_id = own.make(root, seeds=seeds or None, progress=progress)
        _lay_places(root, run_id, progress)
    return run_id, root / run_id, world_summary(root / run_id)


def _place_table(places: list[dict[str, Any]]) -> Table:
    head = ("largest places", "country", "made", "asked", "public", "merchants", "largest merchant")
    table = Table(*head, title="shares of payments at sites", title_justify="left")
    for place in places:
        table.add_row(*(_percent(value) if isinstance(value, float) else _text(value) for value in place.values()))
    return table


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
