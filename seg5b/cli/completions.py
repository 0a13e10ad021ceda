"""`seg5b completions`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from seg5b.cli.common import CommandOutput, json_option, reporting

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@json_option
@reporting
def completions(shell: str) -> CommandOutput:
    """Print the script that completes commands and options of seg5b in a SHELL, to be kept where it looks for such.

    bash: ~/.local/share/bash-completion/completions/seg5b; zsh: a file _seg5b in a folder of $fpath; fish:
    ~/.config/fish/completions/seg5b.fish. Where the program is not found by its name, give its folder to $PATH first.

    Example: seg5b completions bash
    """
    found = get_completion_class(shell)
    assert found is not None  # click knows all of SHELLS
    script = found(click.get_current_context().find_root().command, {}, "seg5b", "_SEG5B_COMPLETE").source()
    return {"shell": shell, "script": script}, lambda: click.echo(script)
