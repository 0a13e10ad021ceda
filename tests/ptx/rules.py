"""How a rule for an instruction is found: by a pattern that its name matches from end to end, modifiers and all."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from tests.ptx.parse import Instruction
from tests.ptx.writing import Writer

Rule = Callable[..., None]
_RULES: list[tuple[re.Pattern[str], Rule]] = []


def rule(pattern: str) -> Callable[[Rule], Rule]:
    """The decorated function translates operations whose whole name matches; it is given the writer, the operands and
    the groups of the pattern."""

    def add(function: Rule) -> Rule:
        _RULES.append((re.compile(pattern), function))
        return function

    return add


@cache
def _found(operation: str) -> tuple[Rule, tuple[str, ...]] | None:
    for pattern, function in _RULES:
        if match := pattern.fullmatch(operation):
            return function, match.groups()
    return None


def apply(writer: Writer, instruction: Instruction) -> None:
    """Write what an instruction does. Raises `UnknownPtxError` where no rule has its name, or not with such operands."""
    writer.instruction = instruction
    found = _found(instruction.operation)
    if found is None:
        raise writer.refuse("no rule for this operation")
    function, groups = found
    try:
        function(writer, instruction.operands, *groups)
    except ValueError as cause:  # more or fewer operands than the rule takes
        raise writer.refuse(str(cause)) from cause
