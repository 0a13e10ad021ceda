"""The stand-in driver's functions that are called often, as LLVM's text, so that what a launch costs the host is its own.

Every function counts its calls in ``@state`` and looks there whether it shall fail. A context is current in a thread
as the driver has it: a stack per thread; functions that need one refuse to work without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.ptx.driver_shared import SHARED

# Words of ``@state`` before the words of each function.
NO_LAUNCHES, BROKEN, TO_DEVICE, TO_HOST, USED, CAPACITY, CONTEXT, BETWEEN = range(8)
HEADER = 8
# Words of a function: calls, from which call on it fails (0: never), with what, and whether all fail then.
CALLS, FAILS_FROM, RESULT, LASTING = range(4)
PER_FUNCTION = 4

UNWRITTEN = 93  # what new memory holds: neither zero nor what a kernel would leave


class Function(NamedTuple):
    """A driver function. ``arguments``: a letter for each, ``p`` a pointer, handle or size of 64 bits, ``i`` an integer of
    32; ``code``: lines that end with the result, empty for what Python answers; ``in_context``: whether it needs one."""

    arguments: str
    code: str = ""
    in_context: bool = False


def types(arguments: str) -> list[str]:
    """LLVM's types of arguments."""
    return [{"p": "i64", "i": "i32"}[each] for each in arguments]


def module(functions: Mapping[str, Function], answers: Mapping[str, int]) -> str:
    """LLVM's text; ``answers``: addresses of what Python answers."""
    size = HEADER + PER_FUNCTION * len(functions)
    parts = [SHARED.replace("WORDS", str(size)).replace("JUNK", str(UNWRITTEN))]
    for k, (name, function) in enumerate(functions.items()):
        given = [f"{kind} %{number}" for number, kind in enumerate(types(function.arguments))]
        lines = [f'define i32 @"{name}"({", ".join(given)}) {{', "begin:"]
        lines.append(f"  %refused = call i32 @asked(i64 {HEADER + PER_FUNCTION * k}, i1 {int(function.in_context)})")
        lines += ["  %bad = icmp ne i32 %refused, 0", "  br i1 %bad, label %refuse, label %go"]
        lines += ["refuse:", "  ret i32 %refused", "go:"]
        if not function.code:
            target = f"inttoptr (i64 {answers[name]} to i32 ({', '.join(types(function.arguments))})*)"
            lines += [f"  %answer = call i32 {target}({', '.join(given)})", "  ret i32 %answer"]
        parts.append("\n".join([*lines, function.code, "}"]))
    return "\n".join(parts)


def put(word: int, value: str, kind: str = "i64") -> str:
    """Lines that store into what argument ``word`` points to."""
    return f"  %to{word} = inttoptr i64 %{word} to {kind}*\n  store {kind} {value}, {kind}* %to{word}\n"


OK = "  ret i32 0"


def returns(call: str) -> str:
    """Lines that end with the result of a function above."""
    return f"  %result = call i32 {call}\n  ret i32 %result"


_CONFIGURATION = "\n".join(
    [
        "  %config = inttoptr i64 %0 to i32*",
        *(f"  %at{k} = getelementptr i32, i32* %config, i64 {k}\n  %size{k} = load i32, i32* %at{k}" for k in range(6)),
        returns(f"@run(i64 %1, {', '.join(f'i32 %size{k}' for k in range(6))}, i64 %2)"),
    ]
)
_CURRENT = "  %now = call i64 @current()\n" + put(0, "%now") + OK
_SET_CURRENT = """  %stack = call i64* @stack()
  %depth = load i64, i64* %stack
  %empty = icmp eq i64 %depth, 0
  br i1 %empty, label %first, label %replace
first:
  call void @push(i64 %0)
  ret i32 0
replace:
  %top = getelementptr i64, i64* %stack, i64 %depth
  store i64 %0, i64* %top
  ret i32 0"""
_CONTEXT_OF = (
    "  %context.at = call i64* @word(i64 6)\n  %context = load i64, i64* %context.at\n" + put(1, "%context") + OK
)
_ATTRIBUTE = """  %none = icmp eq i64 %2, 0
  br i1 %none, label %unknown, label %some
some:
  %to = inttoptr i64 %0 to i32*
  switch i32 %1, label %unknown [ i32 9, label %ordinal  i32 2, label %kind ]
ordinal:
  store i32 0, i32* %to
  ret i32 0
kind:
  store i32 2, i32* %to
  ret i32 0
unknown:
  ret i32 1"""


def _copy(counter: int) -> str:
    return returns(f"@copy(i64 %0, i64 %1, i64 %2, i64 {counter})")


# Beside what is called often: what libraries still call when the process ends and Python answers nothing any more.
OFTEN: dict[str, Function] = {
    "cuLibraryUnload": Function("p", OK),
    "cuModuleUnload": Function("p", OK),
    "cuDevicePrimaryCtxRelease": Function("i", OK),
    "cuDevicePrimaryCtxReset": Function("i", OK),
    "cuCtxGetCurrent": Function("p", _CURRENT),
    "cuCtxSetCurrent": Function("p", _SET_CURRENT),
    "cuCtxPushCurrent": Function("p", "  call void @push(i64 %0)\n" + OK),
    "cuCtxPopCurrent": Function("p", returns("@pop(i64 %0)")),
    "cuCtxGetDevice": Function("p", put(0, "0", "i32") + OK, True),
    "cuCtxSynchronize": Function("", OK, True),
    "cuMemAlloc": Function("pp", returns("@allocate(i64 %0, i64 %1)"), True),
    "cuMemAllocAsync": Function("ppp", returns("@allocate(i64 %0, i64 %1)"), True),
    "cuMemFree": Function("p", returns("@release(i64 %0)"), True),
    "cuMemFreeAsync": Function("pp", returns("@release(i64 %0)"), True),
    "cuMemHostAlloc": Function("ppi", returns("@host(i64 %0, i64 %1)"), True),
    "cuMemFreeHost": Function("p", "  %memory = inttoptr i64 %0 to i8*\n  call void @free(i8* %memory)\n" + OK, True),
    "cuMemcpyHtoD": Function("ppp", _copy(TO_DEVICE), True),
    "cuMemcpyDtoH": Function("ppp", _copy(TO_HOST), True),
    "cuMemcpyDtoD": Function("ppp", _copy(BETWEEN), True),
    "cuMemcpyHtoDAsync": Function("pppp", _copy(TO_DEVICE), True),
    "cuMemcpyDtoHAsync": Function("pppp", _copy(TO_HOST), True),
    "cuMemcpyDtoDAsync": Function("pppp", _copy(BETWEEN), True),
    "cuMemsetD8": Function("pip", returns("@fill(i64 %0, i32 %1, i64 %2)"), True),
    "cuMemsetD8Async": Function("pipp", returns("@fill(i64 %0, i32 %1, i64 %2)"), True),
    "cuStreamCreate": Function("pi", returns("@object(i64 %0)"), True),
    "cuStreamCreateWithPriority": Function("pii", returns("@object(i64 %0)"), True),
    "cuStreamDestroy": Function("p", OK, True),
    "cuStreamSynchronize": Function("p", OK, True),
    "cuStreamQuery": Function("p", OK, True),
    "cuStreamWaitEvent": Function("ppi", OK, True),
    "cuStreamGetCtx": Function("pp", _CONTEXT_OF),
    "cuEventCreate": Function("pi", returns("@object(i64 %0)"), True),
    "cuEventDestroy": Function("p", "  %event = inttoptr i64 %0 to i8*\n  call void @free(i8* %event)\n" + OK),
    "cuEventRecord": Function("pp", returns("@now(i64 %0)"), True),
    "cuEventRecordWithFlags": Function("ppi", returns("@now(i64 %0)"), True),
    "cuEventSynchronize": Function("p", OK, True),
    "cuEventQuery": Function("p", OK, True),
    "cuPointerGetAttribute": Function("pip", _ATTRIBUTE),
    "cuLaunchKernelEx": Function("pppp", _CONFIGURATION, True),
    "cuLaunchKernel": Function(
        "piiiiiiippp",
        returns("@run(i64 %0, i32 %1, i32 %2, i32 %3, i32 %4, i32 %5, i32 %6, i64 %9)"),
        True,
    ),
}
