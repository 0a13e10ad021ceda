"""The stand-in driver's functions that are called often, as LLVM's text, so that what a launch costs the host is its own.

Every function counts its calls in ``@state`` and looks there whether it shall fail. A context is current in a thread
as the driver has it: a stack per thread; functions that need one refuse to work without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

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
    parts = [_SHARED.replace("WORDS", str(size)).replace("JUNK", str(UNWRITTEN))]
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
_SHARED = """
@state = global [WORDS x i64] zeroinitializer
@key = global i32 0
declare i8* @pthread_getspecific(i32)
declare i32 @pthread_setspecific(i32, i8*)
declare i8* @calloc(i64, i64)
declare i8* @aligned_alloc(i64, i64)
declare void @free(i8*)
declare i32 @clock_gettime(i32, i8*)
declare i8* @memmove(i8*, i8*, i64)
declare i8* @memset(i8*, i32, i64)
define internal i64* @word(i64 %k) {
  %at = getelementptr [WORDS x i64], [WORDS x i64]* @state, i64 0, i64 %k
  ret i64* %at
}
define internal i32 @asked(i64 %first, i1 %in_context) {
  %calls = call i64* @word(i64 %first)
  %before = atomicrmw add i64* %calls, i64 1 monotonic
  %broken.at = call i64* @word(i64 1)
  %broken = load i64, i64* %broken.at
  %working = icmp eq i64 %broken, 0
  %answers = xor i1 %in_context, true
  %fine = or i1 %working, %answers
  br i1 %fine, label %alone, label %lasting
lasting:
  %last = trunc i64 %broken to i32
  ret i32 %last
alone:
  %from.k = add i64 %first, 1
  %from.at = call i64* @word(i64 %from.k)
  %from = load i64, i64* %from.at
  %never = icmp eq i64 %from, 0
  %early = icmp slt i64 %before, %from
  %not.now = or i1 %never, %early
  br i1 %not.now, label %context, label %fail
fail:
  %result.k = add i64 %first, 2
  %result.at = call i64* @word(i64 %result.k)
  %result = load i64, i64* %result.at
  %lasts.k = add i64 %first, 3
  %lasts.at = call i64* @word(i64 %lasts.k)
  %lasts = load i64, i64* %lasts.at
  %kept = mul i64 %lasts, %result
  store i64 %kept, i64* %broken.at
  %code = trunc i64 %result to i32
  ret i32 %code
context:
  br i1 %in_context, label %look, label %go
look:
  %now = call i64 @current()
  %none = icmp eq i64 %now, 0
  br i1 %none, label %lost, label %go
lost:
  ret i32 201
go:
  ret i32 0
}
define internal i64* @stack() {
  %key = load i32, i32* @key
  %known = call i8* @pthread_getspecific(i32 %key)
  %new = icmp eq i8* %known, null
  br i1 %new, label %make, label %have
make:
  %made = call i8* @calloc(i64 512, i64 8)
  %set = call i32 @pthread_setspecific(i32 %key, i8* %made)
  br label %have
have:
  %here = phi i8* [ %known, %0 ], [ %made, %make ]
  %words = bitcast i8* %here to i64*
  ret i64* %words
}
define internal i64 @current() {
  %stack = call i64* @stack()
  %depth = load i64, i64* %stack
  %top = getelementptr i64, i64* %stack, i64 %depth
  %found = load i64, i64* %top
  %empty = icmp eq i64 %depth, 0
  %context = select i1 %empty, i64 0, i64 %found
  ret i64 %context
}
define internal void @push(i64 %context) {
  %stack = call i64* @stack()
  %depth = load i64, i64* %stack
  %more = add i64 %depth, 1
  store i64 %more, i64* %stack
  %top = getelementptr i64, i64* %stack, i64 %more
  store i64 %context, i64* %top
  ret void
}
define internal i32 @pop(i64 %out) {
  %stack = call i64* @stack()
  %depth = load i64, i64* %stack
  %empty = icmp eq i64 %depth, 0
  br i1 %empty, label %none, label %some
none:
  ret i32 201
some:
  %top = getelementptr i64, i64* %stack, i64 %depth
  %context = load i64, i64* %top
  %less = sub i64 %depth, 1
  store i64 %less, i64* %stack
  %unwanted = icmp eq i64 %out, 0
  br i1 %unwanted, label %done, label %tell
tell:
  %to = inttoptr i64 %out to i64*
  store i64 %context, i64* %to
  br label %done
done:
  ret i32 0
}
define internal i32 @allocate(i64 %out, i64 %size) {
  %none = icmp eq i64 %size, 0
  br i1 %none, label %invalid, label %some
invalid:
  ret i32 1
some:
  %more = add i64 %size, 511
  %room = and i64 %more, -512
  %used.at = call i64* @word(i64 4)
  %before = atomicrmw add i64* %used.at, i64 %room monotonic
  %after = add i64 %before, %room
  %capacity.at = call i64* @word(i64 5)
  %capacity = load i64, i64* %capacity.at
  %full = icmp ugt i64 %after, %capacity
  br i1 %full, label %short, label %take
short:
  %back = atomicrmw sub i64* %used.at, i64 %room monotonic
  ret i32 2
take:
  %with.size = add i64 %room, 512
  %raw = call i8* @aligned_alloc(i64 512, i64 %with.size)
  %size.at = bitcast i8* %raw to i64*
  store i64 %room, i64* %size.at
  %memory = getelementptr i8, i8* %raw, i64 512
  %filled = call i8* @memset(i8* %memory, i32 JUNK, i64 %room)
  %to = inttoptr i64 %out to i8**
  store i8* %memory, i8** %to
  ret i32 0
}
define internal i32 @release(i64 %address) {
  %none = icmp eq i64 %address, 0
  br i1 %none, label %done, label %some
some:
  %raw.address = sub i64 %address, 512
  %raw = inttoptr i64 %raw.address to i8*
  %size.at = bitcast i8* %raw to i64*
  %room = load i64, i64* %size.at
  %used.at = call i64* @word(i64 4)
  %back = atomicrmw sub i64* %used.at, i64 %room monotonic
  call void @free(i8* %raw)
  br label %done
done:
  ret i32 0
}
define internal i32 @host(i64 %out, i64 %size) {
  %memory = call i8* @calloc(i64 %size, i64 1)
  %to = inttoptr i64 %out to i8**
  store i8* %memory, i8** %to
  ret i32 0
}
define internal i32 @copy(i64 %to, i64 %from, i64 %size, i64 %counter) {
  %total = call i64* @word(i64 %counter)
  %before = atomicrmw add i64* %total, i64 %size monotonic
  %there = inttoptr i64 %to to i8*
  %here = inttoptr i64 %from to i8*
  %moved = call i8* @memmove(i8* %there, i8* %here, i64 %size)
  ret i32 0
}
define internal i32 @fill(i64 %to, i32 %value, i64 %size) {
  %there = inttoptr i64 %to to i8*
  %filled = call i8* @memset(i8* %there, i32 %value, i64 %size)
  ret i32 0
}
define internal i32 @object(i64 %out) {
  %made = call i8* @calloc(i64 2, i64 8)
  %to = inttoptr i64 %out to i8**
  store i8* %made, i8** %to
  ret i32 0
}
define internal i32 @now(i64 %event) {
  %at = inttoptr i64 %event to i8*
  %done = call i32 @clock_gettime(i32 1, i8* %at)
  ret i32 0
}
define internal i32 @run(i64 %kernel, i32 %bx, i32 %by, i32 %bz, i32 %tx, i32 %ty, i32 %tz, i64 %parameters) {
  %y = mul i32 %by, %ty
  %z = mul i32 %bz, %tz
  %rest = mul i32 %y, %z
  %flat = icmp eq i32 %rest, 1
  %no.blocks = icmp eq i32 %bx, 0
  %less = sub i32 %tx, 1
  %few = icmp ult i32 %less, 1024
  %given = icmp ne i64 %parameters, 0
  %blocks = xor i1 %no.blocks, true
  %a = and i1 %flat, %blocks
  %b = and i1 %few, %given
  %valid = and i1 %a, %b
  br i1 %valid, label %known, label %invalid
invalid:
  ret i32 1
known:
  %off.at = call i64* @word(i64 0)
  %off = load i64, i64* %off.at
  %really = icmp eq i64 %off, 0
  br i1 %really, label %call, label %done
call:
  %record = inttoptr i64 %kernel to i64*
  %code = load i64, i64* %record
  %entry = inttoptr i64 %code to void (i64, i32, i32, i32, i32)*
  call void %entry(i64 %parameters, i32 0, i32 %bx, i32 %bx, i32 %tx)
  br label %done
done:
  ret i32 0
}
"""


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
