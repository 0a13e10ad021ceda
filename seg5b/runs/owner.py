"""Who holds something of a run: a process, named so that another one can tell whether it has ended."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seg5b.foreign_json import COUNT, TEXT, Form, Leaf, Maybe, read_json

_FORM: Form = {
    "host": TEXT,
    "process": Leaf("the number of a process", lambda value: COUNT.holds(value) and value < 1 << 31),
    "process_started": Maybe(TEXT),
    "command": TEXT,
    "state": Maybe(TEXT),
    "since_utc": TEXT,
}


def this_process() -> dict[str, Any]:
    """This process, as it stands in a file that says who holds something."""
    return {
        "host": platform.node(),
        "process": os.getpid(),
        "process_started": _started(os.getpid()),
        "command": Path(sys.argv[0]).name + "".join(f" {word}" for word in sys.argv[1:3]) if sys.argv else "",
        "since_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def owner_in(path: Path) -> Mapping[str, Any] | None:
    """What a file says of its owner; None if it says nothing that can be understood."""
    with suppress(OSError, ValueError, OverflowError):
        owner: Mapping[str, Any] = read_json(path, _FORM)
        datetime.fromisoformat(owner["since_utc"]).astimezone(UTC)
        return owner
    return None


def has_ended(owner: Mapping[str, Any]) -> bool:
    """Whether a process of this host has ended; another one may have its number since. False for other hosts'."""
    here = owner["host"] == platform.node()
    return here and _started(owner["process"]) != owner.get("process_started")


def in_words(owner: Mapping[str, Any]) -> str:
    """Process, host, command, state and since when, on one line."""
    since = datetime.fromisoformat(owner["since_utc"]).astimezone(UTC)
    minutes = max(0, (datetime.now(UTC) - since).total_seconds() / 60)
    doing = " at ".join(filter(None, (owner["command"][:60], owner.get("state", "")[:10])))
    return (
        f"process {owner['process']} of {owner['host'][:60]} ({doing}), for {minutes:.0f} min since "
        f"{since:%Y-%m-%d %H:%M:%SZ},"
    )


def _started(process: int) -> str:
    """When a process of this host began, in ticks since the host did, after an id of that start; empty if it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {fields[19]}"
    except (OSError, IndexError):
        return ""
