"""What was asked for: the specification of the world, as the run keeps it beside its data. No digest covers it, and a
damaged one counts as absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from seg5b.contracts import load_yaml, yaml_text
from seg5b.errors import ContractError, WorldError
from seg5b.page.facts.verdict import plain_text
from seg5b.runs.root import WORLD_SPECIFICATION, RunRoot
from seg5b.world.spec.moments import spans

_UNSAID: Final[tuple[object, ...]] = (None, {}, [], "")
_USUAL: Final[Mapping[str, object]] = {"clock": "local", "ramp_out_hours": 0, "calendar": "none"}


@dataclass(frozen=True, slots=True)
class Event:
    """A stated overlay: its name and the days that it touches, both included."""

    name: str
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Asked:
    """``sections``: (section, what it says) of the specification, in its order; ``overlays``: (name, what it says) by
    scenario; ``events``: the same as days, by scenario; ``text``: the whole specification, every default written out."""

    sections: tuple[tuple[str, str], ...]
    overlays: Mapping[str, tuple[tuple[str, str], ...]]
    events: Mapping[str, tuple[Event, ...]]
    text: str


def read_asked(root: RunRoot) -> Asked | None:
    """The specification that a run's world was made from; None where there is none that can be read."""
    try:
        document = load_yaml(root.path / WORLD_SPECIFICATION)
        scenarios = {str(each["id"]): each for each in document.get("scenarios", ())}
        overlays = {name: tuple(_stated(each)) for name, each in scenarios.items()}
        events = {
            name: tuple(event for overlay in each.get("overlays", ()) for event in _events(overlay))
            for name, each in scenarios.items()
        }
    except (ContractError, WorldError, LookupError, TypeError, ValueError, AttributeError):
        return None
    return Asked(tuple(_sections(document)), overlays, events, yaml_text(document))


def _sections(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in document.items():
        if name != "scenarios" and value not in _UNSAID:
            yield name.replace("_", " "), _words(value)
    for each in document.get("scenarios", ()):
        rest = {name: value for name, value in each.items() if name not in ("id", "overlays")}
        yield f"scenario {each['id']}", _words(rest)


def _stated(scenario: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for overlay in scenario.get("overlays", ()):
        yield str(overlay["name"]), _words({name: value for name, value in overlay.items() if name != "name"})


def _words(value: object) -> str:
    """A section in one line: what is empty or usual is left out."""
    if not isinstance(value, Mapping):
        return _short(value)
    said = [
        f"{str(name).replace('_', ' ')} {_short(inner)}"
        for name, inner in value.items()
        if inner not in _UNSAID and _USUAL.get(str(name), _UNSAID) != inner
    ]
    return "; ".join(said)


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_short(inner)}" for name, inner in value.items() if inner not in _UNSAID)
    if isinstance(value, list):
        return ", ".join(map(_short, value))
    return f"{value:,.0f}" if isinstance(value, float) and value.is_integer() else plain_text(value)


def _events(overlay: Mapping[str, Any]) -> Iterator[Event]:
    for first, end in spans(overlay, "overlay"):
        yield Event(str(overlay["name"]), first.date(), (end - timedelta(microseconds=1)).date())
