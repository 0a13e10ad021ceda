"""What is unusual but allowed, told to the reader of the data instead of hidden."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One finding. ``severity``: ``WARN`` or ``INFO``; ``context``: facts that identify it."""

    code: str
    severity: str
    message: str
    context: dict[str, str | int | float] = field(default_factory=dict)

    def context_json(self) -> str:
        """The context as canonical JSON."""
        return json.dumps(self.context, sort_keys=True, separators=(",", ":"))
