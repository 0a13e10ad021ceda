"""The page on commands, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator

import click

from seg5b.cli import main

_WIDTH = 100


def leaves(group: click.Group = main, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it, in the order of the command line's help."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*above, name))
        else:
            yield (*above, name), command


def commands_page() -> str:
    """The whole page, as Markdown: what each command's ``--help`` prints."""
    sections = [f"## seg5b {' '.join(words)}\n\n```text\n{_help(words, command)}\n```\n" for words, command in leaves()]
    return "\n".join(["# Commands\n", f"{_introduction()}\n", *sections])


def _introduction() -> str:
    return "\n\n".join(" ".join(each.split()) for each in (main.help or "").split("\n\n"))


def _help(words: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=f"seg5b {' '.join(words)}", terminal_width=_WIDTH)
    return command.get_help(context).rstrip()
