"""The command line: a table of contents; each file beside this one holds the commands of one subject."""

from __future__ import annotations

import click

from seg5b._version import __version__
from seg5b.cli.bench import bench
from seg5b.cli.calibrate import certify, sensitivity, sweep
from seg5b.cli.demo import demo
from seg5b.cli.doctor import doctor
from seg5b.cli.explain import explain
from seg5b.cli.export import export
from seg5b.cli.inspect import digest, status, verify
from seg5b.cli.listing import datasets, runs, scenarios
from seg5b.cli.prune import prune
from seg5b.cli.report import report
from seg5b.cli.run import STATE_COMMANDS, run
from seg5b.cli.score import score
from seg5b.cli.stream import stream
from seg5b.cli.world import world


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="seg5b")
def main() -> None:
    """seg5b realises the arrivals of a sealed card-payment world: deterministic, auditable, on CPU or CUDA.

    Start with `seg5b demo`. Every command takes --json for one machine-readable result on stdout; progress and logs go
    to stderr. Exit status: 0 done, 1 the run or check failed, 2 wrong usage.
    """


COMMANDS = (
    demo, world, run, *STATE_COMMANDS, runs, scenarios, datasets, status, verify, digest, report, export, stream,
    score, explain, sensitivity, sweep, certify, prune, bench, doctor,
)  # fmt: skip

for command in COMMANDS:
    main.add_command(command)
