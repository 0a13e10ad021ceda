"""What the stand-in driver's functions share, as LLVM's text: counting and failing, contexts, memory, copies, launches.

``WORDS`` is the number of words of ``@state``, ``JUNK`` the byte that new memory is filled with. Before each piece of device
memory lie 512 bytes that hold its size. A kernel is a record whose first word is the address of its code.
"""

from __future__ import annotations

SHARED = """
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
