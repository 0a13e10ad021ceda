"""PTX text of one kernel as data: parameters, constants, registers, instructions. What it does not know, it refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


class UnknownPtxError(Exception):
    """PTX that is not translated. ``instruction``: its line, as it stands in the text."""

    def __init__(self, instruction: str, why: str = "not translated") -> None:
        super().__init__(f"{instruction}: {why}")
        self.instruction = instruction


@dataclass(frozen=True)
class Label:
    """A place in the code that branches go to."""

    name: str


@dataclass(frozen=True)
class Instruction:
    """One instruction. ``guard``: the predicate register under which it runs, ``negated``: and whether it must be
    false; ``operation``: with all modifiers, ``add.s64``."""

    guard: str | None
    negated: bool
    operation: str
    operands: tuple[str, ...]
    text: str


@dataclass
class Entry:
    """A kernel. ``parameters``: PTX type by name, in order; ``registers``: PTX type by name; ``constants``: alignment
    and bytes by name, of the whole module."""

    name: str
    parameters: dict[str, str]
    constants: dict[str, tuple[int, bytes]]
    registers: dict[str, str] = field(default_factory=dict)
    body: list[Label | Instruction] = field(default_factory=list)


_COMMENT = re.compile(r"//[^\n]*")
_CONSTANT = re.compile(
    r"^\.(?:visible |weak |extern )?\.?(?:global|const) \.align (\d+) \.b8 ([\w$]+)\[(\d+)\] = \{([^}]*)\};",
    re.MULTILINE,
)
_ENTRY = re.compile(r"^(?:\.visible )?\.entry ([\w$]+)\((.*?)\)([^{;]*)\{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
_PARAMETER = re.compile(r"\.param \.([a-z]\d+)(?: \.ptr(?: \.global)?(?: \.align \d+)?)? ([\w$]+)")
_LAUNCH_BOUNDS = re.compile(r"(?:\s*\.(?:maxntid|minnctapersm|reqntid|maxnreg) [\d, ]+)*\s*")
_REGISTERS = re.compile(r"\.reg \.(\w+)\s+(%\w+)(?:<(\d+)>)?;")
_STATEMENT = re.compile(r"(?:@(!?)(%\w+)\s+)?([a-z][\w.]*)(?:\s+(.*?))?\s*;")
_OPERAND = re.compile(r"(?:\[[^\]]*\]|\{[^}]*\}|[^,\[\{])+")


def entries(ptx: str) -> list[Entry]:
    """Every kernel of a PTX text. Raises `UnknownPtxError`."""
    text = _COMMENT.sub("", ptx)
    if "64" not in re.findall(r"^\.address_size (\d+)", text, re.MULTILINE):
        raise UnknownPtxError(".address_size", "only addresses of 64 bits")
    if function := re.search(r"^(?:\.visible |\.weak |\.extern )?\.func[^\n]*", text, re.MULTILINE):
        raise UnknownPtxError(function[0], "calls are not translated")
    constants = dict(_constant(*match.groups()) for match in _CONSTANT.finditer(text))
    found = [_entry(match[1], match[2], match[3], match[4], constants) for match in _ENTRY.finditer(text)]
    if len(found) != len(re.findall(r"\.entry\b", text)) or not found:
        raise UnknownPtxError(".entry", "not every kernel of the text is understood")
    return found


def _constant(align: str, name: str, size: str, values: str) -> tuple[str, tuple[int, bytes]]:
    content = bytes(int(value, 0) & 0xFF for value in values.split(","))
    return name, (int(align), content.ljust(int(size), b"\0"))


def _entry(name: str, parameters: str, bounds: str, body: str, constants: dict[str, tuple[int, bytes]]) -> Entry:
    if not _LAUNCH_BOUNDS.fullmatch(bounds):
        raise UnknownPtxError(bounds.strip())
    entry = Entry(name, {}, constants)
    for each in filter(None, map(str.strip, parameters.split(","))):
        match = _PARAMETER.fullmatch(re.sub(r"\s+", " ", each))
        if not match:
            raise UnknownPtxError(each)
        entry.parameters[match[2]] = match[1]
    for line in filter(None, map(str.strip, body.split("\n"))):
        _line(line, entry)
    return entry


def _line(line: str, entry: Entry) -> None:
    if registers := _REGISTERS.fullmatch(line):
        kind, name, count = registers.groups()
        named = [name] if count is None else [f"{name}{k}" for k in range(int(count))]
        if not entry.registers.keys().isdisjoint(named):
            raise UnknownPtxError(line, "a register is declared twice")
        entry.registers.update(dict.fromkeys(named, kind))
    elif line.startswith((".loc ", ".pragma ")) or line in "{}":
        return  # where the source is; a hint; the braces around what was written as assembler
    elif label := re.fullmatch(r"([$\w]+):", line):
        entry.body.append(Label(label[1]))
    elif statement := _STATEMENT.fullmatch(line):
        negated, guard, operation, operands = statement.groups()
        split = tuple(each.strip() for each in _OPERAND.findall(operands or ""))
        entry.body.append(Instruction(guard, negated == "!", operation, split, line))
    else:
        raise UnknownPtxError(line)
