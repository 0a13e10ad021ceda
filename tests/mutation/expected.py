"""Which checks are expected to name each fault: ``expected.json``, written by ``python -m tests.mutation --pin``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.mutation.records import Noticed

FILE = Path(__file__).with_name("expected.json")


@cache
def expected() -> Mapping[str, frozenset[str]]:
    """Check ids by fault; ``replay`` where only that notices; empty where nothing does."""
    pinned = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
    return {name: frozenset(checks) for name, checks in pinned.items()}


def unlike(found: Mapping[str, Noticed]) -> dict[str, str]:
    """Faults that are not noticed by all that is expected to. More may notice one: then ``--pin`` says so."""
    wrong = {}
    for name, noticed in found.items():
        missing = expected().get(name, frozenset()) - {*noticed.named, *({"replay"} if noticed.checks else ())}
        if name not in expected():
            wrong[name] = f"nothing is pinned; noticed by {', '.join(noticed.named) or 'nobody'}"
        elif missing:
            wrong[name] = f"is no longer noticed by {', '.join(sorted(missing))}"
    return wrong
