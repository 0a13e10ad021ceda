"""What is right whatever was broken (law L16): one typed error, nothing half-published, and a second run that goes on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from seg5b.api import open_run
from seg5b.digests import DATASETS
from seg5b.hashing import tree_digests
from seg5b.validation import verify_validation_bundle
from tests.torture.bench import Bench
from tests.torture.verdict import Ended, first_wrong

FACTS = ("code", "state", "what", "where", "remedy")
LONGEST = 2_000
"""Characters that an error may have: it is read by people."""


def ended_well(ended: Ended) -> str:
    """The command passed, or ended with one typed error, in JSON and with exit status 1."""
    if ended.hung or "Traceback (most recent call last)" in ended.err:
        return ended.cause()
    if ended.status not in (0, 1):
        return ended.cause()
    result = _json(ended.out)
    if result is None:
        return f"{ended.cause()}; stdout is no JSON result: {ended.out[:80]!r}"
    if ended.status == 0:
        return "" if result.get("ok") is True else "exit status 0 without ok"
    if result.get("ok") is True and result.get("status") == "FAIL":
        return ""
    return refused_well(ended)


def refused_well(ended: Ended) -> str:
    """The command ended with one typed error that says what, where and what to do."""
    if ended.hung or "Traceback (most recent call last)" in ended.err or ended.status != 1:
        return ended.cause()
    error = (_json(ended.out) or {}).get("error", {})
    missing = [fact for fact in FACTS if not error.get(fact)]
    if missing:
        return f"{error.get('code', 'no code')}: the error does not say {', '.join(missing)}: {str(error.get('what'))[:120]}"
    if not error["code"].startswith("5B.") or error["code"].endswith(".UNEXPECTED"):
        return f"the error has no code of its own: {error['code']}: {error['what'][:160]}"
    longest = max(len(error[fact]) for fact in FACTS)
    return f"{error['code']}: an error of {longest:,} characters" if longest > LONGEST else ""


def not_by_halves(bench: Bench, runs_root: Path) -> str:
    """Each dataset is published as in the run that nothing happened to, or not at all; a bundle holds or is absent."""
    run = open_run(runs_root)
    for dataset_id in DATASETS:
        folder = run.root.path / run.contracts.dictionary("5B").entry(dataset_id).above_scenarios(run.identity.tokens())
        files = tree_digests(folder) if folder.is_dir() else {}
        lines = "".join(f"{name} {digest}\n" for name, digest in files.items())
        if files and hashlib.sha256(lines.encode()).hexdigest() != bench.digests[dataset_id]:
            return f"{dataset_id} is published by halves, or wrong"
    if list(run.root.path.glob("data/layer2/5B/validation/*/*")):
        problems = verify_validation_bundle(run.root, run.contracts).problems
        if problems:
            return f"the bundle does not hold: {problems[0].code} {problems[0].path}"
    return ""


def whole(bench: Bench, runs_root: Path) -> str:
    """Everything is published, and the bundle holds."""
    run = open_run(runs_root)
    if not list(run.root.path.glob("data/layer2/5B/validation/*/_passed.flag")):
        return "no bundle"
    missing = [name for name in bench.digests if not _folder(run, name).is_dir()]
    if missing:
        return f"not published: {', '.join(missing)}"
    return not_by_halves(bench, runs_root)


def tidy(runs_root: Path) -> str:
    """Nothing of the work is left over. A run that could not remove something may leave it to the next."""
    root = open_run(runs_root).root
    left = [path.name for path in (root.path / "tmp").glob("*") if path != root.kept()]
    return f"left in tmp: {left[:3]}" if left else ""


def _folder(run: Any, dataset_id: str) -> Path:
    entry = run.contracts.dictionary("5B").entry(dataset_id)
    return Path(run.root.path / entry.above_scenarios(run.identity.tokens()))


def goes_on(bench: Bench, runs_root: Path, **how: Any) -> str:
    """A second run, that nothing happens to, passes with the digests of the untouched run."""
    again = bench.seg5b("run", "--json", "--runs-root", runs_root, **how)
    if again.status:
        error = (_json(again.out) or {}).get("error", {})
        return f"the second run: {error.get('code') or again.cause()}: {str(error.get('what'))[:160]}"
    return first_wrong(lambda: whole(bench, runs_root), lambda: tidy(runs_root))


def broken_and_mended(bench: Bench, ended: Ended, runs_root: Path) -> str:
    """All of it, for a run that was broken by what a system may do to it."""
    return first_wrong(
        lambda: ended_well(ended),
        lambda: (
            "it passed, but not all is right: " + whole(bench, runs_root)
            if ended.status == 0 and whole(bench, runs_root)
            else ""
        ),
        lambda: not_by_halves(bench, runs_root),
        lambda: goes_on(bench, runs_root),
    )


def _json(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
