"""Typed failures.

Every failure that a user can meet is one `Seg5bError`: a stable code, what happened, where, and what to do.
The command line prints it as one line and exits 1; the run report keeps the code.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, Final

MOST_CHARACTERS: Final = 600
"""Of what an error says: a value that is shown may be of any length."""
_LONGEST_PLACE: Final = 1 << 13  # twice a path

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 160
_SHORT.maxlevel = 2


def brief(text: str, most: int = 300) -> str:
    """A text on one line, of at most ``most`` characters, that any terminal and file can hold: bytes of a path that are not
    UTF-8 are escaped."""
    text = text if len(text) <= most else f"{text[: most - 3]}..."
    return " ".join(text.encode("utf-8", "backslashreplace").decode().splitlines())


def shown(value: object) -> str:
    """A value of any size as it stands in a message, at most some hundred characters."""
    return brief(_SHORT.repr(value))


class Seg5bError(Exception):
    """A failure with a code that scripts can match on.

    Parameters: ``code``, stable, ``5B.S<n>.<REASON>`` for a state, ``5B.<ROOM>.<REASON>`` elsewhere; ``what`` is wrong,
    one sentence with the offending values; ``where`` it was found: file, dataset or key; ``remedy``: what the reader
    can do about it. ``record``: the run record of the state that failed, where one was left; it stays in this process.
    """

    def __init__(self, code: str, what: str, *, where: str = "", remedy: str = "") -> None:
        what, where = brief(what, MOST_CHARACTERS), brief(where, _LONGEST_PLACE)
        super().__init__(code, what, where, remedy)
        self.code = code
        self.what = what
        self.where = where
        self.remedy = remedy
        self.record: Mapping[str, Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes."""
        return _rebuilt, (type(self), self.as_dict())

    @property
    def state(self) -> str:
        """``S0`` .. ``S5``, or the room that failed (``RUN``, ``CONTRACT``, ``WORLD`` ...)."""
        parts = self.code.split(".")
        return parts[1] if len(parts) > 2 else "-"

    def __str__(self) -> str:
        """One line: code, what, where, remedy."""
        line = f"{self.code}: {self.what}"
        if self.where:
            line += f" [at {self.where}]"
        if self.remedy:
            line += f" -> {self.remedy}"
        return line

    def as_dict(self) -> dict[str, str]:
        """The same facts for ``--json`` and the run report."""
        return {
            "code": self.code,
            "state": self.state,
            "what": self.what,
            "where": self.where,
            "remedy": self.remedy,
        }


def _rebuilt(kind: type[Seg5bError], facts: Mapping[str, str]) -> Seg5bError:
    return kind(facts["code"], facts["what"], where=facts["where"], remedy=facts["remedy"])


class RunError(Seg5bError):
    """The run folder or its receipt cannot be used."""


class ContractError(Seg5bError):
    """A contract file (dictionary, registry, schema pack) is missing or wrong."""


class PolicyError(Seg5bError):
    """A policy file is missing, malformed or asks for something that no law offers."""


class GateError(Seg5bError):
    """S0's gate refuses: an upstream bundle, a sealed input or the gate itself does not hold."""


class InputError(Seg5bError):
    """The content of an input is wrong: missing or duplicate keys, nulls, bad numbers, bad blobs."""


class DomainError(Seg5bError):
    """Datasets that must share a key domain do not."""


class NumericError(Seg5bError):
    """A computed value is outside what the law allows."""


class EvidenceError(Seg5bError):
    """Random-number evidence does not add up."""


class PublishError(Seg5bError):
    """Output could not be published: it exists with other content, or the disk refused."""


class BackendError(Seg5bError):
    """The requested backend cannot run here, or its device failed."""


class EngineError(Seg5bError):
    """The engine that shares out work cannot be used, or was lost."""


class SystemRefusal(Seg5bError):  # noqa: N818 - the refusal of another
    """The system refused something: space, memory, files, threads, permission."""


class Interruption(Seg5bError):  # noqa: N818 - somebody's wish
    """Somebody asked the process to end."""


class ValidationFailure(Seg5bError):  # noqa: N818 - a verdict, not a fault of the program
    """S5 found violations; the report says which."""


class WorldError(Seg5bError):
    """The world generator was asked for something it cannot make."""


NO_VERDICT: Final = (SystemRefusal, EngineError, BackendError)
"""Failures that say nothing about the data: whoever judges data by what fails raises these on (law L16)."""
