"""The time-zone database: data with a version, since it decides numbers (law L17).

Releases lie in ``config/tzdb/<release>.zip``, as the tzdata package has them: TZif files by name, ``zone.tab``,
``zone1970.tab`` and ``tzdata.zi``. Worlds are made with `DEFAULT` unless they ask for another one: one that is shipped, or
that of the installed tzdata package.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Final

from seg5b.errors import WorldError
from seg5b.resources import resource_root

DEFAULT: Final = "2026f"
"""The release that worlds are made with. Another default is another world: it changes only with a **Numbers** entry in the
changelog."""


@dataclass(frozen=True, slots=True)
class Tzdb:
    """A release, such as ``2026f``; ``read`` gives the bytes of a file by name, None where there is none."""

    release: str
    read: Callable[[str], bytes | None]

    def zone(self, tzid: str) -> bytes | None:
        """TZif file (RFC 8536) of a zone, None for one that the release does not have."""
        return self.read(tzid)

    def table(self, name: str) -> str:
        """Text of ``zone.tab``, ``zone1970.tab`` or ``tzdata.zi``. Raises `WorldError` ``5B.WORLD.TZDB_DAMAGED``."""
        content = self.read(name)
        if content is None:
            what, remedy = f"release {self.release} has no {name}", "install seg5b, or the tzdata package, again"
            raise WorldError("5B.WORLD.TZDB_DAMAGED", what, where=name, remedy=remedy)
        return content.decode("utf-8")

    def sha256(self) -> str:
        """SHA-256 of ``tzdata.zi``, the compact source that all files are compiled from."""
        return hashlib.sha256(self.table("tzdata.zi").encode("utf-8")).hexdigest()


@cache
def open_tzdb(release: str = DEFAULT) -> Tzdb:
    """A release, as ``2026f`` or as the tzdata package counts it, ``2026.6``. Raises `WorldError`
    ``5B.WORLD.TZDB_UNKNOWN``, ``5B.WORLD.TZDB_DAMAGED``."""
    wanted = _tag(release)
    if wanted in shipped_releases():
        return Tzdb(wanted, _zipped(_folder() / f"{wanted}.zip"))
    if wanted == installed_release():
        return Tzdb(wanted, _packaged)
    known = [*shipped_releases(), *([installed_release()] if installed_release() else [])]
    raise WorldError(
        "5B.WORLD.TZDB_UNKNOWN",
        f"release {release} of the time-zone database is neither shipped nor installed",
        where="tzdata",
        remedy=f"choose one of {', '.join(dict.fromkeys(known))}, or install the tzdata package of that release",
    )


def shipped_releases() -> list[str]:
    """Releases that come with seg5b."""
    return sorted(file.stem for file in _folder().glob("*.zip"))


def installed_release() -> str:
    """Release of the installed tzdata package, empty where there is none."""
    try:
        import tzdata
    except ImportError:
        return ""
    return str(tzdata.IANA_VERSION)


def _folder() -> Path:
    return resource_root() / "config" / "tzdb"


def _tag(release: str) -> str:
    """``2026f`` of ``2026.6``."""
    year, dot, number = release.partition(".")
    if dot and number.isdecimal() and 1 <= int(number) <= 26:
        return f"{year}{chr(ord('a') + int(number) - 1)}"
    return release


def _zipped(file: Path) -> Callable[[str], bytes | None]:
    try:
        # in memory, since a forked process would share the place in an open file
        archive = zipfile.ZipFile(BytesIO(file.read_bytes()))
        names = frozenset(archive.namelist())
    except (OSError, zipfile.BadZipFile) as cause:
        what, remedy = f"cannot be read: {cause}", "install seg5b again"
        raise WorldError("5B.WORLD.TZDB_DAMAGED", what, where=str(file), remedy=remedy) from cause
    return lambda name: archive.read(name) if name in names else None


def _packaged(name: str) -> bytes | None:
    place = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    return place.read_bytes() if place.is_file() else None
