"""A call of the file system fails: one typed error in bounded time, nothing half-published, and a second run that is right
(law L16)."""

from __future__ import annotations

import errno
from functools import partial
from pathlib import Path

from tests.torture.bench import Bench
from tests.torture.judging import broken_and_mended
from tests.torture.shim import Strike
from tests.torture.verdict import Case

ONCE = "a call fails once"
ON = "calls fail from then on"
SHORT_WRITE = "short writes"
FULL = "full disk, by bytes"
ERRORS = {
    "open": ("EMFILE", "EACCES", "EROFS", "ENOSPC", "EDQUOT", "ENOMEM", "EINTR"),
    "read": ("EMFILE", "EIO", "EACCES", "ENOMEM"),
    "write": ("EIO", "ENOSPC", "EDQUOT", "EFBIG", "EINTR"),
    "sync": ("EIO", "ENOSPC", "EDQUOT"),
    "rename": ("EIO", "ENOSPC", "EXDEV", "EROFS", "EACCES"),
    "mkdir": ("ENOSPC", "EDQUOT", "EROFS", "EACCES"),
    "unlink": ("EIO", "EROFS", "EACCES"),
    "link": ("EXDEV", "EACCES", "ENOSPC"),
    "lock": ("ENOLCK", "EOPNOTSUPP", "EIO"),
}
"""What Linux answers to a call of each kind."""
_POINTS = 2
_SHORT = {("sync", "EIO", 1), ("link", "EXDEV", 1)}


def cases() -> list[Case]:
    """Each error of each kind at the first, a middle and a late call, once and from then on; EINTR only once."""
    found = []
    for kind, errors in ERRORS.items():
        for name in errors:
            for point in range(1, 2 if kind == "lock" else _POINTS + 1):
                for case_kind, on in ((ONCE, False), (ON, True)):
                    if on and (name == "EINTR" or point == _POINTS):
                        continue
                    short = (kind, name, point) in _SHORT and not on
                    strike = partial(_fails, kind, point, getattr(errno, name), on)
                    found.append(Case(case_kind, f"{name} at {kind} {point} of {_POINTS}", strike, short))
    found += [Case(SHORT_WRITE, f"write {point} of 10", partial(_short, point), point == 5) for point in range(1, 11)]
    return found + [Case(FULL, f"{tenth}/10 of what a run writes", partial(_full, tenth)) for tenth in range(10)]


def _fails(kind: str, point: int, code: int, on: bool, bench: Bench, folder: Path) -> str:
    return _struck(bench, folder, Strike((kind,), bench.numbered(kind, point, _POINTS), code, on))


def _short(point: int, bench: Bench, folder: Path) -> str:
    return _struck(bench, folder, Strike(("write",), bench.numbered("write", point, 10), "short"))


def _full(tenth: int, bench: Bench, folder: Path) -> str:
    return _struck(bench, folder, Strike(do=errno.ENOSPC, room=bench.bytes_written * tenth // 10))


def _struck(bench: Bench, folder: Path, strike: Strike) -> str:
    runs_root = bench.copy(bench.world, folder / "runs")
    ended = bench.seg5b("run", "--json", "--runs-root", runs_root, strike=strike, below=runs_root)
    return broken_and_mended(bench, ended, runs_root)
