"""Reports of this room: derived from published data, so each may be written again; written whole by a rename."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from seg5b.canonical_json import plain
from seg5b.errors import PublishError, RunError
from seg5b.foreign_json import COUNT, NUMBER, OBJECT, TEXT, Each, Form, Leaf, Maybe, read_json
from seg5b.refusals import pass_on_refusal
from seg5b.runs.root import RunRoot

_FOLDER = "reports/layer2/realism/segment=5B"
CERTIFICATION_FORM: Form = {
    "decision": Maybe(TEXT),
    "runs": Maybe([TEXT]),
    "available_seeds": Maybe([COUNT]),
    "required_seeds": Maybe([COUNT]),
    "least_seeds": Maybe(COUNT),
    "t10_overall_cv": Maybe(Leaf("a number or null", lambda value: value is None or NUMBER.holds(value))),
}
"""What is read of a certification; `BOARD_FORM`: of a gateboard; `JUDGED_FORM`: of S5's report."""
BOARD_FORM: Form = {"gates": Maybe(Each(OBJECT))}
JUDGED_FORM: Form = {"checks": Maybe([{"code": Maybe(TEXT), "violation_count": Maybe(COUNT)}])}


def reports_folder(root: RunRoot) -> Path:
    """Where the boards of a run lie."""
    return root.resolve(_FOLDER)


def write_realism_report(root: RunRoot, name: str, content: str | dict[str, Any]) -> Path:
    """Write a text or JSON report, replacing the one of that name in one rename.

    Raises `PublishError` ``5B.REALISM.REPORT_NOT_WRITTEN``.
    """
    target = reports_folder(root) / name
    text = content if isinstance(content, str) else json.dumps(plain(content), indent=2, sort_keys=True) + "\n"
    staged = target.parent / f".{name}.{uuid.uuid4().hex}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.write_text(text, encoding="utf-8")
        staged.replace(target)
    except OSError as cause:
        staged.unlink(missing_ok=True)
        raise PublishError(
            "5B.REALISM.REPORT_NOT_WRITTEN",
            f"could not write {name}: {cause.strerror or cause}",
            where=str(target),
            remedy="free space or fix permissions",
        ) from cause
    return target


def read_report(path: Path, form: Form = OBJECT) -> dict[str, Any]:
    """A JSON report of the ``form``. Raises `RunError` ``5B.REALISM.REPORT_UNREADABLE``."""
    try:
        payload: dict[str, Any] = read_json(path, form)
    except (OSError, ValueError) as cause:
        pass_on_refusal(cause)
        raise RunError(
            "5B.REALISM.REPORT_UNREADABLE",
            f"{path.name} is not a readable report: {cause}",
            where=str(path),
            remedy="write it again with `seg5b score`",
        ) from cause
    return payload


def report_if_any(root: RunRoot, name: str, form: Form = OBJECT) -> dict[str, Any]:
    """A report of the run, of the ``form``; empty if it was never written. Raises as `read_report`."""
    path = reports_folder(root) / name
    return read_report(path, form) if path.is_file() else {}
