"""LLVM's text for one kernel, written step by step: registers, operands, addresses.

A register is a place on the stack, which LLVM turns into a value. Reading and writing check widths, as PTX does: an operand
is as wide as the instruction's type, except where PTX lets it be wider (loads, stores, conversions).
"""

from __future__ import annotations

import re

from tests.ptx.parse import Entry, Instruction, UnknownPtxError

THREAD = {"%tid.x": "%tid", "%ntid.x": "%ntid", "%ctaid.x": "%ctaid", "%nctaid.x": "%nctaid"}
_ADDRESS = re.compile(r"\[([%$\w]+)(?:\+(-?\d+))?\]")


def llvm_type(ptx_type: str) -> str:
    """``double`` for f64, ``i1`` for pred, and integers by width whatever their sign; others are refused."""
    if ptx_type == "f64":
        return "double"
    if ptx_type == "pred":
        return "i1"
    if re.fullmatch(r"[usb](8|16|32|64)", ptx_type):
        return f"i{ptx_type[1:]}"
    raise UnknownPtxError(f".{ptx_type}", "a type that is not translated")


def bits(kind: str) -> int:
    """Width of an integer type of LLVM."""
    return int(kind[1:])


def pointer_to(kind: str) -> str:
    """Pointers with the type of what they point to, which old and new releases of LLVM read alike."""
    return f"{kind}*"


class Writer:
    """Lines of LLVM for the body of a kernel; ``instruction`` is the one that is being translated."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.instruction = Instruction(None, False, "", (), "")
        self.lines: list[str] = []
        self.parameters: dict[tuple[str, str], str] = {}  # what is loaded before the first thread: name and type
        self.constants: set[str] = set()
        self.intrinsics: set[str] = set()
        self._names = 0

    def refuse(self, why: str) -> UnknownPtxError:
        """The error to raise for the instruction at hand."""
        return UnknownPtxError(self.instruction.text, why)

    def fresh(self, hint: str = "v") -> str:
        """A name that nothing has."""
        self._names += 1
        return f"{hint}{self._names}"

    def emit(self, line: str) -> None:
        """A line without a result."""
        self.lines.append(f"  {line}")

    def value(self, expression: str) -> str:
        """The name of a new value."""
        name = f"%{self.fresh()}"
        self.emit(f"{name} = {expression}")
        return name

    def call(self, kind: str, intrinsic: str, *arguments: tuple[str, str]) -> str:
        """The result of an intrinsic: its type, its name, types and values of its arguments."""
        self.intrinsics.add(f"declare {kind} @{intrinsic}({', '.join(each for each, _ in arguments)})")
        return self.value(f"call {kind} @{intrinsic}({', '.join(map(' '.join, arguments))})")

    def cast(self, operation: str, value: str, kind: str, wanted: str) -> str:
        """``value`` turned from one type into another, if they differ."""
        return value if kind == wanted else self.value(f"{operation} {kind} {value} to {wanted}")

    # --------------------------------------------------------------------------------------------------- operands

    def read(self, operand: str, kind: str, *, wider: bool = False) -> str:
        """An operand as a value of type ``kind``; ``wider``: the low bits of a wider register will do."""
        if operand in THREAD:
            if kind != "i32":
                raise self.refuse(f"{operand} has 32 bits")
            return THREAD[operand]
        if operand.startswith("%"):
            return self._register(operand, kind, wider)
        if operand in self.entry.constants and kind == "i64":
            return self.address_of(operand)
        return self._immediate(operand, kind)

    def _register(self, operand: str, kind: str, wider: bool) -> str:
        declared = self.declared(operand)
        value = self.value(f"load {declared}, {pointer_to(declared)} {_place(operand)}")
        if declared == kind:
            return value
        if {declared, kind} == {"double", "i64"}:
            return self.value(f"bitcast {declared} {value} to {kind}")
        if wider and "double" not in (declared, kind) and bits(declared) > bits(kind):
            return self.value(f"trunc {declared} {value} to {kind}")
        raise self.refuse(f"{operand} is {declared} where {kind} is wanted")

    def _immediate(self, operand: str, kind: str) -> str:
        if match := re.fullmatch(r"0[dD]([0-9a-fA-F]{16})", operand):
            if kind == "double":
                return f"0x{match[1]}"
            if kind == "i64":
                return str(int(match[1], 16))
        elif re.fullmatch(r"(-?\d+|0[xX][0-9a-fA-F]+)U?", operand):
            number = int(operand.rstrip("U"), 0)
            if kind == "i1":
                return "true" if number else "false"
            if kind != "double" and -(1 << bits(kind) - 1) <= number < 1 << bits(kind):
                return str(number if number < 1 << bits(kind) - 1 else number - (1 << bits(kind)))
        raise self.refuse(f"operand {operand} as {kind}")

    def declared(self, register: str) -> str:
        """Type of a register."""
        if register not in self.entry.registers:
            raise self.refuse(f"{register} is no register")
        return llvm_type(self.entry.registers[register])

    def write(self, register: str, value: str, kind: str, extend: str | None = None) -> None:
        """Set a register; ``extend``: ``sext`` or ``zext`` where it may be wider than ``kind``."""
        declared = self.declared(register)
        if {declared, kind} == {"double", "i64"}:
            value = self.value(f"bitcast {kind} {value} to {declared}")
        elif declared != kind:
            if extend is None or "double" in (declared, kind) or bits(declared) < bits(kind):
                raise self.refuse(f"{register} is {declared}, the result {kind}")
            value = self.value(f"{extend} {kind} {value} to {declared}")
        self.emit(f"store {declared} {value}, {pointer_to(declared)} {_place(register)}")

    # -------------------------------------------------------------------------------------------------- addresses

    def address_of(self, constant: str) -> str:
        """Address of a constant of the module."""
        self.constants.add(constant)
        size = len(self.entry.constants[constant][1])
        return self.value(f'ptrtoint [{size} x i8]* @"{constant}" to i64')

    def address(self, operand: str, kind: str) -> str:
        """``[base+offset]`` as a pointer to ``kind``."""
        match = _ADDRESS.fullmatch(operand)
        if not match:
            raise self.refuse(f"address {operand}")
        base = self.read(match[1], "i64")
        at = self.value(f"add i64 {base}, {match[2] or 0}")
        return self.value(f"inttoptr i64 {at} to {pointer_to(kind)}")

    def parameter(self, operand: str, kind: str) -> str:
        """``[name]`` as the value of a parameter of the kernel, which all threads share."""
        match = _ADDRESS.fullmatch(operand)
        if not match or match[1] not in self.entry.parameters or match[2]:
            raise self.refuse(f"parameter {operand}")
        if llvm_type(self.entry.parameters[match[1]]) not in (kind, _twin(kind)):
            raise self.refuse(f"a parameter of type {self.entry.parameters[match[1]]}")
        return self.parameters.setdefault((match[1], kind), f"%p{len(self.parameters)}")


def _twin(kind: str) -> str:
    """The other type of 64 bits."""
    return {"i64": "double", "double": "i64"}.get(kind, kind)


def _place(register: str) -> str:
    return f"%r.{register[1:]}"


def registers(entry: Entry) -> list[str]:
    """Places of all registers of a kernel."""
    return [f"  {_place(name)} = alloca {llvm_type(kind)}" for name, kind in entry.registers.items()]


def forget(entry: Entry) -> list[str]:
    """Says that no register keeps a value from the thread before."""
    kinds = ((name, llvm_type(kind)) for name, kind in entry.registers.items())
    return [f"  store {kind} undef, {pointer_to(kind)} {_place(name)}" for name, kind in kinds]
