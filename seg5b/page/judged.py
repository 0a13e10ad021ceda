"""What was judged, as tables: S5's verdict, the realism gates, and whether states agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seg5b.page import html
from seg5b.page.facts.verdict import Gateboard, GateRow, plain_text
from seg5b.page.figures.lawful import wrong_hours
from seg5b.page.markup import element, text
from seg5b.page.measured import Measured, Views
from seg5b.page.wording import counted


def verdict(report: Mapping[str, Any] | None) -> str:
    """What S5 found: counts of checks, and those that did not hold."""
    heading = element("h3", "What S5 found")
    if report is None:
        said = "S5 has not run: nothing here was judged. Validate with "
        return html.sheet(heading, element("p", said, element("code", "seg5b s5"), "."))
    checks = [check for check in report.get("checks", ()) if isinstance(check, Mapping)]
    counts = {status: sum(check.get("status") == status for check in checks) for status in ("PASS", "WARN", "FAIL")}
    skipped = [check for check in checks if check.get("status") == "NOT_APPLICABLE"]
    mode = report.get("sampling")
    said = (
        f"{counted(counts['PASS'], 'check holds', 'checks hold')}, {counts['FAIL']} failed, "
        f"{counted(counts['WARN'], 'warning')}, {len(skipped)} not applicable. Mode: "
        f"{text(mode.get('mode', '–') if isinstance(mode, Mapping) else '–')}."
    )
    odd = [check for check in checks if check.get("status") in ("FAIL", "WARN")]
    parts = [element("p", said), _fields(report, counts["WARN"]), _checks(odd) if odd else ""]
    if skipped:
        what = element("summary", f"{counted(len(skipped), 'check')} not applicable")
        parts.append(element("details", what, _checks(skipped)))
    return html.sheet(heading, *parts)


def _fields(report: Mapping[str, Any], warnings: int) -> str:
    """Each verdict of the report, with a mark; ``warnings_ok`` only says that warnings do not fail the run."""
    chips = []
    for name, held in sorted(report.items()):
        if isinstance(held, bool) and not (name == "warnings_ok" and held and warnings):
            words = name.removesuffix("_ok").replace("_", " ")
            chips.append(element("li", f"{'✓' if held else '✗'} {text(words)}", class_="pass" if held else "fail"))
    return element("ul", *chips, class_="chips") if chips else ""


_LOOKS = {
    "FAIL": ("fail", "✗ does not hold"),
    "WARN": ("warn", "! does not hold"),
    "NOT_APPLICABLE": ("none", "– skipped"),
}


def _checks(checks: Sequence[Mapping[str, Any]]) -> str:
    """One row each: what must hold is quoted as such, since it does not."""
    rows = []
    for check in checks:
        look, word = _LOOKS[str(check["status"])]
        first = [plain_text(key) for key in check.get("first_violations", ())[:1]]
        why = check.get("reason") or "; ".join([counted(int(check.get("violation_count", 0)), "violation"), *first])
        code = element("code", text(check.get("check_id", "")))
        law = f"Required: {text(check.get('states', ''))}"
        about = [law, element("br"), element("span", code, " ", text(why), class_="soft")]
        rows.append(element("tr", element("td", word, class_=f"state {look}"), element("td", *about)))
    return element("table", element("tbody", *rows))


def gateboard(board: Gateboard | None) -> str:
    """The gates as a table; a word when there is none."""
    heading = element("h3", "Realism gates")
    if board is None:
        return html.sheet(heading, element("p", "No gateboard and no validation report: no gate was measured."))
    plus = any(gate.target_plus for gate in board.gates)
    columns = ["gate", "what", "value", "B", *(["B+"] if plus else []), "verdict"]
    heads = element("tr", *(element("th", name, scope="col") for name in columns))
    rows = [_gate(gate, plus) for gate in board.gates]
    source = element("p", "From ", element("code", text(board.source)), ".", class_="soft")
    words = element("p", text(" · ".join(board.decisions))) if board.decisions else ""
    table = element("table", element("thead", heads), element("tbody", *rows), class_="gates")
    return html.sheet(heading, words, table, source)


def _gate(gate: GateRow, plus: bool) -> str:
    looks: dict[bool | None, tuple[str, str]] = {
        True: ("pass", "✓ B+" if gate.held_plus else "✓ B" if gate.held_plus is False else "✓ holds"),
        False: ("warn", "! outside") if gate.kind == "context" else ("fail", "✗ outside"),
        None: ("none", "– open"),
    }
    look, word = looks[gate.held]
    what = [text(gate.title), " ", element("span", text(gate.kind), class_="soft")]
    cells = [element("th", text(gate.gate_id), scope="row"), element("td", *what)]
    cells.append(_cell("value", gate.value))
    cells.append(_cell("B", gate.target))
    if plus:
        cells.append(_cell("B+", gate.target_plus))
    return element("tr", *cells, element("td", word, class_=f"state {look}"))


def _cell(name: str, written: str) -> str:
    """A cell that breaks only if its text is long."""
    return element("td", text(written), data_name=name, class_="tight" if len(written) <= 14 else None)


Finding = tuple[str, Callable[[Measured], int | str], Callable[[Measured], bool]]
_FINDINGS: Sequence[Finding] = (
    ("rows of S2, series × buckets wanted", lambda view: f"{view.keys.rows_s2:,} of {view.keys.expected_rows:,}",
     lambda view: view.keys.rows_s2 == view.keys.expected_rows),
    ("rows of S3", lambda view: f"{view.keys.rows_s3:,} of {view.keys.expected_rows:,}",
     lambda view: view.keys.rows_s3 == view.keys.expected_rows),
    ("keys (series and bucket) that occur twice", lambda view: view.keys.repeated, lambda view: not view.keys.repeated),
    ("keys that hold anything, compared", lambda view: view.keys.compared, lambda view: True),
    ("of these, keys whose arrivals in S4 are not S3's count", lambda view: view.keys.unequal,
     lambda view: not view.keys.unequal),
    ("arrivals of S4 minus counts of S3", lambda view: f"{lost(view):+,}" if lost(view) else 0, lambda view: not lost(view)),
    ("wall clocks that are not UTC plus the zone's offset", lambda view: view.clocks.wrong,
     lambda view: not view.clocks.wrong),
    ("arrivals in zones that the database does not know", lambda view: view.clocks.unknown,
     lambda view: not view.clocks.unknown),
    ("arrivals written into another local hour", wrong_hours, lambda view: not wrong_hours(view)),
)  # fmt: skip


def lost(view: Measured) -> int:
    """Arrivals of S4 minus counts of S3, over all compared keys."""
    return sum(gap * keys for gap, keys in view.keys.residuals().items())


def agreement(views: Views) -> str:
    """States against each other and against the time-zone database, a row for each law."""
    rows, broken = [], 0
    for name, amount, holds in _FINDINGS:
        held = all(holds(view) for view in views)
        broken += not held
        values = [amount(view) for view in views]
        cells = [f"{value:,}" if isinstance(value, int) else value for value in values]
        rows.append([name, *cells, "✓" if held else "✗"])
    said = "States and clocks agree" if not broken else f"{counted(broken, 'law')} broken"
    compared = f" {views[0].compared.capitalize()} that holds anything is compared." if views else ""
    parts = sum(view.series for view in views)
    notes = f"A series is a merchant, zone and channel group, {parts:,} in all scenarios; its countries are summed.{compared}"
    heads = ["law", *(view.scenario_id for view in views), "holds"]
    return html.sheet(element("h3", said), html.table(heads, rows), element("p", notes, class_="soft"))
