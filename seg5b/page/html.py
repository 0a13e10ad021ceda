"""The page around the figures: head, verdict, gates, scenarios, foot. Well-formed XML as well as HTML; no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from seg5b._version import __version__
from seg5b.page.facts.asked import Asked
from seg5b.page.facts.verdict import Gateboard, GateRow, plain_text
from seg5b.page.figure import Figure
from seg5b.page.scales import counted
from seg5b.page.svg import element, text
from seg5b.runs.identity import RunIdentity
from seg5b.runs.root import WORLD_SPECIFICATION

_WORDS = {"PASS": ("pass", "✓ PASS"), "FAIL": ("fail", "✗ FAIL"), "": ("none", "– not validated")}
Section = tuple[str, Sequence[Figure]]


def page(identity: RunIdentity, body: Sequence[str], scenarios: int) -> str:
    """The whole document."""
    head = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"seg5b {__version__}"),
        element("title", f"seg5b run {identity.run_id}"),
        element("style", _style(scenarios)),
    ]
    whole = element("html", element("head", *head), element("body", element("main", *body)), lang="en")
    return f"<!DOCTYPE html>\n{whole}\n"


def _style(scenarios: int) -> str:
    """The style sheet, and for each scenario the rules that show it when it is picked."""
    sheet = files("seg5b.page").joinpath("style.css").read_text("utf-8")
    rules = []
    for place in range(scenarios):
        rules.append(f"#pick{place}:checked ~ .scenario{place} {{ display: block; }}")
        rules.append(
            f"#pick{place}:checked ~ nav label[for=pick{place}] {{ border-color: var(--a); color: var(--a); }}"
        )
        rules.append(f"#pick{place}:focus-visible ~ nav label[for=pick{place}] {{ outline: 2px solid var(--a); }}")
    return sheet + "\n".join(rules)


def head(
    identity: RunIdentity, report: Mapping[str, Any] | None, facts: Sequence[tuple[str, str]], arrivals: int
) -> str:
    """Name, verdict at a glance, and the run in numbers. A verdict on another number of ``arrivals`` is marked."""
    look, word = _WORDS.get(str(report.get("status")) if report else "", _WORDS[""])
    judged = report.get("n_arrivals_total") if report else None
    if isinstance(judged, int) and judged != arrivals:
        look, word = "warn", f"{word}, but S5 saw {judged:,} arrivals: run seg5b verify"
    title = element("h1", "seg5b ", element("span", "run", class_="soft"), " ", element("code", identity.run_id))
    numbers = [element("div", element("dt", text(name)), element("dd", text(value))) for name, value in facts]
    return element(
        "header",
        element("div", title, element("span", word, class_=f"badge {look}"), class_="top"),
        element("dl", *numbers, class_="facts"),
    )


def verdict(report: Mapping[str, Any] | None) -> str:
    """What S5 found: counts of checks, and those that did not hold."""
    if report is None:
        said = "S5 has not run: nothing here was judged. Validate with "
        return _sheet("Verdict", element("p", said, element("code", "seg5b s5"), "."))
    checks = [check for check in report.get("checks", ()) if isinstance(check, Mapping)]
    counts = {status: sum(check.get("status") == status for check in checks) for status in ("PASS", "WARN", "FAIL")}
    skipped = [check for check in checks if check.get("status") == "NOT_APPLICABLE"]
    said = (
        f"{counted(counts['PASS'], 'check holds', 'checks hold')}, {counts['FAIL']} failed, "
        f"{counted(counts['WARN'], 'warning')}, {len(skipped)} not applicable. Mode: "
        f"{text(_mapping(report.get('sampling')).get('mode', '–'))}."
    )
    odd = [check for check in checks if check.get("status") in ("FAIL", "WARN")]
    parts = [element("p", said), _fields(report), _checks(odd) if odd else ""]
    if skipped:
        inner = element(
            "details", element("summary", f"{counted(len(skipped), 'check')} not applicable"), _checks(skipped)
        )
        parts.append(inner)
    return _sheet("Verdict", *parts)


def _fields(report: Mapping[str, Any]) -> str:
    """Each verdict of the report, with a mark."""
    chips = []
    for name, held in sorted(report.items()):
        if isinstance(held, bool):
            words = name.removesuffix("_ok").replace("_", " ")
            chips.append(element("li", f"{'✓' if held else '✗'} {text(words)}", class_="pass" if held else "fail"))
    return element("ul", *chips, class_="chips") if chips else ""


def _checks(checks: Sequence[Mapping[str, Any]]) -> str:
    looks = {"FAIL": ("fail", "✗ failed"), "WARN": ("warn", "! warning"), "NOT_APPLICABLE": ("none", "– skipped")}
    rows = []
    for check in checks:
        look, word = looks[str(check["status"])]
        first = [plain_text(key) for key in check.get("first_violations", ())[:1]]
        why = check.get("reason") or "; ".join([counted(int(check.get("violation_count", 0)), "violation"), *first])
        code = element("code", text(check.get("check_id", "")))
        about = [text(check.get("states", "")), element("br"), element("span", code, " ", text(why), class_="soft")]
        rows.append(element("tr", element("td", word, class_=f"state {look}"), element("td", *about)))
    return element("table", element("tbody", *rows))


def gateboard(board: Gateboard | None) -> str:
    """The gates as a table; a word when there is none."""
    if board is None:
        return _sheet("Gates", element("p", "No gateboard and no validation report: no gate was measured."))
    columns = ["gate", "what", "value", "B", "B+", "verdict"]
    plus = any(gate.target_plus for gate in board.gates)
    if not plus:
        columns.remove("B+")
    heads = element("tr", *(element("th", name, class_="optional" if name == "B+" else None) for name in columns))
    rows = [_gate(gate, plus) for gate in board.gates]
    source = element("p", "From ", element("code", text(board.source)), ".", class_="soft")
    words = element("p", text(" · ".join(board.decisions))) if board.decisions else ""
    return _sheet("Gates", words, element("table", element("thead", heads), element("tbody", *rows)), source)


def _gate(gate: GateRow, plus: bool) -> str:
    looks: dict[bool | None, tuple[str, str]] = {
        True: ("pass", "✓ B+" if gate.held_plus else "✓ B" if gate.held_plus is False else "✓ holds"),
        False: ("warn", "! outside") if gate.kind == "context" else ("fail", "✗ outside"),
        None: ("none", "– open"),
    }
    look, word = looks[gate.held]
    what = [text(gate.title), " ", element("span", text(gate.kind), class_="soft optional")]
    cells = [element("td", element("b", text(gate.gate_id))), element("td", *what, class_="what")]
    cells.append(_figure(gate.value))
    cells.append(_figure(gate.target))
    if plus:
        cells.append(_figure(gate.target_plus, "optional"))
    return element("tr", *cells, element("td", word, class_=f"state {look}"))


def asked(found: Asked | None) -> str:
    """The specification of the world, section by section; nothing where there is none."""
    if found is None:
        return ""
    rows = []
    for name, said in found.sections:
        overlays = found.overlays.get(name.removeprefix("scenario "), ()) if name.startswith("scenario ") else ()
        items = [element("li", element("b", text(each)), " ", text(words)) for each, words in overlays]
        listed = element("ul", *items, class_="overlays") if items else ""
        rows.append(
            element("tr", element("td", element("b", text(name)), class_="tight"), element("td", text(said), listed))
        )
    whole = element("details", element("summary", "every value"), element("pre", text(found.text)))
    source = element("p", "From ", element("code", WORLD_SPECIFICATION), ".", class_="soft")
    return _sheet("What was asked for", element("table", element("tbody", *rows)), source, whole)


def column(*sheets: str) -> str:
    """Sheets one below the other."""
    return element("div", *sheets)


def _figure(written: str, look: str = "") -> str:
    """A cell that breaks only if its text is long."""
    return element("td", text(written), class_=f"{look} {'tight' if len(written) <= 10 else ''}".strip() or None)


def duo(*sheets: str) -> str:
    """Sheets side by side where there is room."""
    return element("div", *sheets, class_="duo")


def _sheet(title: str, *parts: str) -> str:
    return element("section", element("h2", title), element("div", *parts, class_="sheet"))


def scenarios(views: Sequence[tuple[str, Sequence[Section]]]) -> list[str]:
    """A view per scenario, the first picked; a row of buttons when there are several."""
    picks = [
        element("input", type="radio", name="scenario", id=f"pick{place}", class_="pick", checked=place == 0)
        for place in range(len(views))
    ]
    labels = [element("label", text(name), for_=f"pick{place}") for place, (name, _) in enumerate(views)]
    parts = [*picks, element("nav", element("span", "Scenario", class_="soft"), *labels)]
    for place, (name, sections) in enumerate(views):
        shown = [section(title, figures, name) for title, figures in sections]
        parts.append(element("div", *shown, class_=f"scenario scenario{place}"))
    return parts


def section(title: str, figures: Sequence[Figure], scenario_id: str) -> str:
    """A heading and its cards."""
    cards = [figure.html(scenario_id) for figure in figures]
    return element("section", element("h2", text(title)), element("div", *cards, class_="cards"))


def foot(identity: RunIdentity) -> str:
    """Where the numbers come from."""
    return element(
        "footer",
        element("p", "Every number is an aggregate over the Parquet files that the run published."),
        element("p", "seed ", element("code", str(identity.seed)), " · manifest ",
                element("code", identity.manifest_fingerprint), " · parameters ",
                element("code", identity.parameter_hash), f" · seg5b {__version__}"),
    )  # fmt: skip


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
