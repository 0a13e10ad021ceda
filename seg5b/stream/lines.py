"""Arrivals as lines of JSON, bare or in the envelope of a CloudEvent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Final
from urllib.parse import quote

from seg5b.export.reading import Reading
from seg5b.runs.identity import RunIdentity
from seg5b.tables.outgoing import IdForm, RowBatch, TextSink
from seg5b.tables.text import TextColumn, TextForm, constant_text

BESIDE: Final = ("ts_utc", "merchant_id", "arrival_seq")
"""What each row of a batch begins with: when, whose, and which of that merchant's."""
EVENT_TYPE: Final = "seg5b.arrival.v1"


class JsonLines:
    """Makes lines of batches that begin with the columns `BESIDE`."""

    def __init__(self, reading: Reading, ids: IdForm, envelope: Sequence[TextColumn]) -> None:
        self._buffer, self._bare = BytesIO(), not envelope
        self._sink = TextSink(self._buffer, TextForm.JSONL, reading.columns, ids, "none", envelope)

    def of(self, batch: RowBatch) -> bytes:
        """The lines of a batch. Raises as `seg5b.tables.text.Lines.of`."""
        self._buffer.seek(0)  # not cut: memory that is there already costs no page faults
        shown = batch.select(list(range(len(BESIDE), batch.num_columns))) if self._bare else batch
        self._sink.write(shown)
        return bytes(self._buffer.getbuffer()[: self._buffer.tell()])


def event_envelope(identity: RunIdentity, scenario_id: str) -> list[TextColumn]:
    """The attributes of a CloudEvent 1.0 around an arrival, its columns being the ``data``. The id names one arrival of all
    runs: run, scenario, merchant, number."""
    run = quote(identity.run_id, safe="")
    scenario = quote(scenario_id, safe="")
    known = {
        "specversion": "1.0",
        "type": EVENT_TYPE,
        "source": f"/seg5b/runs/{run}/scenarios/{scenario}",
        "datacontenttype": "application/json",
    }
    before_id = json.dumps(f"{run}/{scenario}/")[:-1]
    return [
        *(TextColumn(name, constant=constant_text(TextForm.JSONL, text)) for name, text in known.items()),
        TextColumn("time", quoted=True, suffix="Z"),
        TextColumn("id", prefix=before_id, suffix="/"),
        TextColumn("id", suffix='"', joined=True),
    ]
