"""The environment names of the reference engine: what each becomes here (docs/laws#environment).

One table, `NAMES`. A name that locates something or sets the pace becomes the default of an option; one that asks for what is
always done, or for what has no counterpart, is answered with a line; one that would change what comes out is refused, with the
policy key that rules it. None is passed over without a word. The command line wins over every name, our own names over theirs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import click

from seg5b.errors import InputError, shown
from seg5b.options import EVENT_FORMS

_log = logging.getLogger("seg5b")
_ON: Final = ("1", "true", "yes", "y", "on")
_OFF: Final = ("", "0", "false", "no", "n", "off")
_FIRST_STATES: Final = ("S1", "S2", "S3")
_DRAWN: Final = ("S2", "S3", "S4")
_STATES: Final = ("S0", "S1", *_DRAWN, "S5")


class Fate(Enum):
    """What becomes of a name. ``PLACE``, ``PACE``: the default of an option, of every command or of those that run its state.
    ``ALWAYS``: it asks for what is done anyway. ``NOTHING``: what it tunes is not there. ``REFUSED``: it would change what
    comes out, or which code runs."""

    PLACE = "place"
    PACE = "pace"
    ALWAYS = "always"
    NOTHING = "nothing"
    REFUSED = "refused"


class Value(Enum):
    """How a value is read."""

    TEXT = "text"
    LIST = "list"  # texts, ; between them
    FLAG = "flag"
    WHOLE = "whole number"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Name:
    """One name. ``state``: whose it is, empty for all. ``option``: the parameter that it is the default of. ``told``: what is
    said of it. ``unless``: our own name, before which it stands back."""

    name: str
    fate: Fate
    told: str
    value: Value = Value.TEXT
    state: str = ""
    option: str = ""
    unless: str = ""


def _each(states: Sequence[str], name: str, fate: Fate, told: str, value: Value, option: str = "") -> Iterator[Name]:
    return (Name(name.format(state), fate, told, value, state, option) for state in states)


_BY_POLICY = "it changes what comes out, so it is no matter of the environment: set {} and make or reseal the run"
_TEMPER = "virtual_router.edge_temper.{} of arrival_routing_policy_5B"
_LAMBDA = "optional_columns.lambda_realised of arrival_routing_policy_5B"
_GATES = "civil_time_gates of validation_policy_5B"
_GATE = "civil_time_gates.{} of validation_policy_5B"
_ROWS_ARE_JUDGED = "S5 judges every row"
_ORDERED = "rows are in order by the way they are made, and S5 checks it"
_NO_QUEUE = "there are no worker processes with queues here; --threads and --memory bound the work"
_EVENTS_FIT = "event logs are written in their form; there is no second look at each line"
_CADENCE = "--progress-every"
_LEFT_OVER = "nothing reads it, there neither"

NAMES: Final = (
    Name("ENGINE_RUNS_ROOT", Fate.PLACE, "--runs-root", option="runs_root", unless="SEG5B_RUNS_ROOT"),
    Name(
        "ENGINE_CONTRACTS_ROOT", Fate.PLACE, "--contracts-root", option="contracts_root", unless="SEG5B_CONTRACTS_ROOT"
    ),
    Name(
        "ENGINE_CONTRACTS_LAYOUT",
        Fate.PLACE,
        "--contracts-layout",
        option="contracts_layout",
        unless="SEG5B_CONTRACTS_ROOT",
    ),
    Name("ENGINE_EXTERNAL_ROOTS", Fate.PLACE, "--external-root for each", Value.LIST, option="external_roots"),
    *_each(_STATES, "SEG5B_{}_RUN_ID", Fate.PACE, "--run-id", Value.TEXT, "run_id"),
    *_each(("S3", "S4"), "ENGINE_5B_{}_WORKERS", Fate.PACE, "--threads", Value.WHOLE, "threads"),
    *_each(_DRAWN, "ENGINE_5B_{}_RNG_EVENTS", Fate.PACE, "--event-logs", Value.FLAG, "event_logs"),
    *_each(_DRAWN, "ENGINE_5B_{}_PROGRESS_INTERVAL_SEC", Fate.PACE, _CADENCE, Value.SECONDS, "progress_every"),
    *_each(("S4",), "ENGINE_5B_{}_PROGRESS_INTERVAL_SECONDS", Fate.PACE, _CADENCE, Value.SECONDS, "progress_every"),
    *_each(("S4",), "ENGINE_5B_{}_MAX_ARRIVALS_CHUNK", Fate.PACE, "--chunk-arrivals", Value.WHOLE, "chunk_arrivals"),
    *_each((*_FIRST_STATES, "S4"), "ENGINE_5B_{}_VALIDATE_FULL", Fate.ALWAYS, _ROWS_ARE_JUDGED, Value.FLAG),
    *_each((*_FIRST_STATES, "S4"), "ENGINE_5B_{}_VALIDATE_SAMPLE_ROWS", Fate.ALWAYS, _ROWS_ARE_JUDGED, Value.WHOLE),
    *_each(("S3", "S4"), "ENGINE_5B_{}_STRICT_ORDERING", Fate.ALWAYS, _ORDERED, Value.FLAG),
    *_each(("S3", "S4"), "ENGINE_5B_{}_ORDERING_STATS", Fate.ALWAYS, _ORDERED, Value.FLAG),
    *_each(("S3", "S4"), "ENGINE_5B_{}_VALIDATE_EVENTS_FULL", Fate.NOTHING, _EVENTS_FIT, Value.FLAG),
    *_each(("S3", "S4"), "ENGINE_5B_{}_VALIDATE_EVENTS_LIMIT", Fate.NOTHING, _EVENTS_FIT, Value.WHOLE),
    *_each(("S3", "S4"), "ENGINE_5B_{}_INFLIGHT_BATCHES", Fate.NOTHING, _NO_QUEUE, Value.WHOLE),
    *_each(("S3", "S4"), "ENGINE_5B_{}_EVENT_BUFFER", Fate.NOTHING, _NO_QUEUE, Value.WHOLE),
    *(
        Name(f"ENGINE_5B_S4_{what}", Fate.NOTHING, _NO_QUEUE, Value.TEXT, "S4")
        for what in (
            *("BATCH_ROWS", "BATCH_SIZE", "OUTPUT_BUFFER_ROWS", "DOMAIN_CACHE_MAX", "SHARED_MAPS"),
            *("WORKER_HEARTBEAT_S", "COMPILED_KERNEL"),
        )
    ),
    Name("ENGINE_5B_S4_REQUIRE_NUMBA", Fate.ALWAYS, "S4 has compiled loops and no others", Value.FLAG, "S4"),
    *_each(("S4",), "ENGINE_5B_{}_INCLUDE_LAMBDA", Fate.REFUSED, _BY_POLICY.format(_LAMBDA), Value.FLAG),
    *(
        Name(f"ENGINE_5B_S4_TZ_TEMPER_{theirs}", Fate.REFUSED, _BY_POLICY.format(_TEMPER.format(ours)), value, "S4")
        for theirs, ours, value in (
            ("ENABLE", "enabled", Value.FLAG),
            ("TOPK", "top_k", Value.TEXT),
            ("REDIRECT_P", "redirect_p", Value.TEXT),
        )
    ),
    *_each(("S5",), "ENGINE_5B_{}_ENABLE_POLICY_ENV_OVERRIDE", Fate.REFUSED, _BY_POLICY.format(_GATES), Value.FLAG),
    *(
        Name(f"ENGINE_5B_S5_{gate.upper()}", Fate.REFUSED, _BY_POLICY.format(_GATE.format(gate)), Value.TEXT, "S5")
        for gate in (
            *("max_civil_mismatch_rate", "max_one_hour_shift_rate", "dst_window_hour_bin_mae_pp_max"),
            *("dst_window_min_support", "dst_window_min_exposed_windows", "dst_window_min_total_support"),
        )
    ),
    Name("ENGINE_GIT_COMMIT", Fate.NOTHING, "the audit record names the release that drew, seg5b-<version>"),
    *_each(_STATES, "SEG5B_{}_CMD", Fate.REFUSED, "it would run another program: call that one yourself", Value.TEXT),
    *_each(
        _STATES, "SEG5B_{}_ARGS", Fate.REFUSED, "say SEG5B_FLAGS to make, or give the options themselves", Value.TEXT
    ),
    *_each(("S1", "S2", "S3", "S4"), "SEG5B_{}_RESUME", Fate.ALWAYS, "every run goes on where it stopped", Value.TEXT),
    *(
        Name(name, Fate.NOTHING, _LEFT_OVER)
        for name in ("SEG5B_CMD", "SKIP_SEG5B", "SEG5B_RESULT_JSON", "SEG5B_DICTIONARY")
    ),
)
"""Every name, in an order in which they can be read."""
_BY_NAME: Final = {each.name: each for each in NAMES}
_ALL_STATES: Final = ("run", "demo", "sensitivity", "sweep", "certify")
"""Commands that run all states, or as many of them as they are told to."""
_OWN_STATE: Final = {state.lower(): (state,) for state in _STATES}


def defaults_of(environ: Mapping[str, str], program: click.Group) -> dict[str, Any]:
    """Defaults of options by command, in the form of click's ``default_map``, that the names in ``environ`` stand for. Raises
    `click.UsageError` for a value that cannot be read, and where one command would take two."""
    return _defaults(program, [each for each in NAMES if each.option and _is_set(each, environ)], environ)


def _is_set(name: Name, environ: Mapping[str, str]) -> bool:
    return bool(environ.get(name.name)) and not environ.get(name.unless)


def _defaults(group: click.Group, names: Sequence[Name], environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word, command in group.commands.items():
        if isinstance(command, click.Group):
            found[word] = _defaults(command, names, environ)
        else:
            known = {parameter.name for parameter in command.params}
            own = [each for each in names if each.option in known and _concerns(each, word)]
            found[word] = _of_command(own, environ)
    return found


def _concerns(name: Name, command: str) -> bool:
    """Whether a name counts for a command, by its last word: for those that run its state, or for all."""
    return not name.state or command in _ALL_STATES or _OWN_STATE.get(command) == (name.state,)


def _of_command(names: Sequence[Name], environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, list[Any]] = {}
    for each in names:
        values.setdefault(each.option, []).append(_read(each, environ[each.name]))
    found: dict[str, Any] = {}
    for option, given in values.items():
        if option == "event_logs":
            found[option] = EVENT_FORMS[0] if all(given) else None
        else:
            found[option] = (
                max(given) if option == "threads" else min(given) if option == "progress_every" else given[0]
            )
    if "contracts_root" in found:
        found.setdefault("contracts_layout", "model_spec")
    return found


def _read(name: Name, text: str) -> Any:
    try:
        if name.value is Value.FLAG:
            return _flag(text)
        if name.value is Value.LIST:
            return tuple(part.strip() for part in text.split(";") if part.strip())
        if name.value is Value.WHOLE:
            number = int(text)
            return max(number, 1000) if name.option == "chunk_arrivals" else max(number, 1)
        return max(float(text), 0.1) if name.value is Value.SECONDS else text
    except ValueError:
        raise click.UsageError(f"{name.name}={shown(text)} is no {name.value.value}: correct or unset it") from None


def _flag(text: str) -> bool:
    """Raises `ValueError` for what is neither on nor off."""
    if text.strip().lower() in _ON:
        return True
    if text.strip().lower() not in _OFF:
        raise ValueError(text)
    return False


def answer(environ: Mapping[str, str], states: Sequence[str], options: Mapping[str, Any]) -> None:
    """Say a line of each name that is set and does nothing, for a command that runs ``states`` with these ``options``.

    Raises `InputError` ``5B.CLI.ENVIRONMENT_REFUSED`` for the first that would change what comes out, for one of segment 5B
    that nobody knows, and for several states of one command that are to have logs or run ids of their own; `click.UsageError`
    for a flag that is neither on nor off."""
    for text in sorted(environ):
        name = _BY_NAME.get(text)
        if name is None and text.startswith("ENGINE_5B_"):
            raise _refused(text, "no such name is known, so nobody knows what it would change")
        if name is None or not _is_set(name, environ) or (name.state and name.state not in states):
            continue
        if name.value is Value.FLAG and not _read(name, environ[text]):
            continue
        if name.fate is Fate.REFUSED:
            raise _refused(text, name.told)
        if name.fate in (Fate.ALWAYS, Fate.NOTHING):
            _log.warning("%s does nothing here: %s", text, name.told)
        elif name.option not in options:
            _log.warning("%s does nothing here: the command has no such option (%s)", text, name.told)
    _refuse_own_logs(environ, [state for state in _DRAWN if state in states])
    if len(states) > 1:
        _refuse_own_runs(environ, states, options.get("run_id"))


def _refuse_own_logs(environ: Mapping[str, str], states: Sequence[str]) -> None:
    names = [_BY_NAME[f"ENGINE_5B_{state}_RNG_EVENTS"] for state in states]
    asked = [each.name for each in names if _is_set(each, environ) and _read(each, environ[each.name])]
    if asked and len(asked) < len(names):
        raise _refused(asked[0], "one command logs the events of all its states or of none: run the states one by one")


def _refuse_own_runs(environ: Mapping[str, str], states: Sequence[str], run_id: str | None) -> None:
    named = {environ[name]: name for state in states if environ.get(name := f"SEG5B_{state}_RUN_ID")}
    if len({*named, *([run_id] if named and run_id else [])}) > 1:
        raise _refused(", ".join(named.values()), "one command works on one run: run the states one by one")


def _refused(name: str, why: str) -> InputError:
    return InputError(
        "5B.CLI.ENVIRONMENT_REFUSED", f"{name} is set", where="the environment", remedy=f"unset it; {why}"
    )


def states_of(context: click.Context) -> tuple[str, ...]:
    """The states that the command of a context runs; none for one that runs none."""
    word = context.info_name or ""
    if word == "run":
        first, last = (_STATES.index(context.params[end]) for end in ("first", "last"))
        return _STATES[first : last + 1]
    return _OWN_STATE.get(word, _STATES if word in _ALL_STATES else ())


def answered() -> None:
    """`answer` of this process, for the command that is at work. Raises as `answer`."""
    context = click.get_current_context()
    if states := states_of(context):
        answer(os.environ, states, context.params)
