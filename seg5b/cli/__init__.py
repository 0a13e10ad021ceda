"""The command line: a table of contents; each file beside this one holds the commands of one subject."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from seg5b._version import __version__
from seg5b.cli.bench import bench
from seg5b.cli.calibrate import certify, sensitivity, sweep
from seg5b.cli.completions import completions
from seg5b.cli.demo import demo
from seg5b.cli.diff import diff
from seg5b.cli.doctor import doctor
from seg5b.cli.environment import defaults_of
from seg5b.cli.events import events
from seg5b.cli.explain import explain
from seg5b.cli.export import export
from seg5b.cli.inspect import digest, status, verify
from seg5b.cli.listing import datasets, runs, scenarios
from seg5b.cli.plan import plan
from seg5b.cli.prune import prune
from seg5b.cli.report import report
from seg5b.cli.run import STATE_COMMANDS, run
from seg5b.cli.score import score
from seg5b.cli.stream import stream
from seg5b.cli.warm import warm
from seg5b.cli.world import world


class Program(click.Group):
    """The command line. Wrong usage is told as JSON too, where ``--json`` is among the arguments."""

    def main(self, args: Any = None, **how: Any) -> Any:  # type: ignore[override]
        """As `click.Group.main`."""
        how.setdefault("prog_name", "seg5b")
        given = sys.argv[1:] if args is None else list(args)
        if not how.get("standalone_mode", True) or "--json" not in given:
            return super().main(args, **how)
        try:
            ended = super().main(args, **{**how, "standalone_mode": False})
        except click.ClickException as wrong:
            context = getattr(wrong, "ctx", None)
            command = context.command_path if context else "seg5b"
            told = {"what": wrong.format_message(), "where": command, "remedy": f"see `{command} --help`"}
            click.echo(json.dumps({"ok": False, "error": {"code": "5B.CLI.USAGE", **told}}, sort_keys=True))
            sys.exit(wrong.exit_code)
        sys.exit(ended if isinstance(ended, int) else 0)


@click.group("seg5b", cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="seg5b")
def main() -> None:
    """seg5b realises the arrivals of a sealed card-payment world: deterministic, auditable, on CPU or CUDA.

    Start with `seg5b demo`. Every command takes --json for one machine-readable result on stdout; progress and logs go
    to stderr: -v for more of them, -q for less. Exit status: 0 done, 1 the run or check failed, 2 wrong usage, 130 and 143
    interrupted.
    """
    context = click.get_current_context()
    context.default_map = defaults_of(os.environ, main)


COMMANDS = (
    demo, world, plan, run, *STATE_COMMANDS, runs, scenarios, datasets, status, verify, digest, diff, report, export, stream,
    score, explain, events, sensitivity, sweep, certify, prune, bench, doctor, warm, completions,
)  # fmt: skip

for command in COMMANDS:
    main.add_command(command)
