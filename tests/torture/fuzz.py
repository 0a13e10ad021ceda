"""Fuzz a decoder of foreign bytes: any error but those that it declares is a finding (law L16).

``python -m tests.torture.fuzz DECODER SECONDS MOST RUNS_ROOT FOLDER PLANT``: coverage-guided where `atheris` can be imported
(the extra ``fuzz``), else mutations from a seed; at most that many executions. What came of it is in FOLDER/fuzzed.json.
"""

from __future__ import annotations

import json
import random
import sys
import time
import traceback
from contextlib import nullcontext
from pathlib import Path
from typing import Any

try:
    import atheris
except ImportError:
    atheris = None

RESULT = "fuzzed.json"
INSTRUMENTED = [
    f"seg5b.{room}"
    for room in ("clocks", "contracts", "foreign_json", "gate.laws", "inputs", "policy", "runs", "tables")
]
MOST_FINDINGS = 20


class Fuzzing:
    """One decoder being fuzzed."""

    def __init__(self, decoder: Any, result: Path, most: int) -> None:
        self._decoder, self._result, self._most = decoder, result, most
        self._start, self._executions, self._longest_s = time.monotonic(), 0, 0.0
        self._findings: dict[str, str] = {}

    def once(self, raw: bytes) -> None:
        """Decode an input."""
        began = time.monotonic()
        try:
            self._decoder.decode(raw)
        except self._decoder.declared:
            pass
        except Exception as error:
            steps = [step for step in traceback.extract_tb(error.__traceback__) if "/seg5b/" in step.filename]
            place = f"{Path(steps[-1].filename).name}:{steps[-1].lineno}" if steps else "outside seg5b"
            told = f"{type(error).__name__} at {place}: {str(error)[:120]}"
            if place not in self._findings and len(self._findings) < MOST_FINDINGS:
                self._findings[place] = f"{told}; bytes {raw[:400].hex()}"
                self.write()
        self._executions += 1
        self._longest_s = max(self._longest_s, time.monotonic() - began)
        if self._executions % 100 == 0:
            self.write()

    def write(self) -> None:
        """Say what came of it so far: a guided run does not return."""
        told = {
            "executions": self._executions,
            "seconds": round(time.monotonic() - self._start, 1),
            "longest_s": self._longest_s,
            "guided": atheris is not None,
            "findings": list(self._findings.values()),
        }
        self._result.write_text(json.dumps(told))

    def mutate(self, seconds: float, mutated: Any) -> None:
        """Mutate seeds until time or executions are spent."""
        chance, corpus = random.Random(1), list(self._decoder.seeds)
        while self._executions < self._most and time.monotonic() - self._start < seconds:
            raw = chance.choice(corpus)
            for _ in range(chance.choice((1, 1, 2, 4))):
                raw = mutated(raw, chance) or b"\0"
            self.once(raw)
        self.write()


def main(name: str, seconds: str, most: str, runs_root: str, folder: str, plant: str) -> None:
    """Fuzz one decoder."""
    if plant:
        from tests.torture.planted import PLANTED

        PLANTED[plant].plant()
    with (
        nullcontext()
        if atheris is None
        else atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False)
    ):
        from tests.torture.decoders import decoders
    from tests.torture.mutations import mutated

    place = Path(folder)
    decoder = decoders(Path(runs_root), place)[name]
    fuzzing = Fuzzing(decoder, place / RESULT, int(most))
    fuzzing.write()
    if atheris is None:
        fuzzing.mutate(float(seconds), mutated)
        return
    corpus = place / "corpus"
    corpus.mkdir()
    for number, raw in enumerate(decoder.seeds):
        (corpus / f"{number}").write_bytes(raw)
    arguments = [
        "fuzz",
        f"-max_total_time={int(float(seconds))}",
        f"-runs={most}",
        "-seed=1",
        "-verbosity=0",
        str(corpus),
    ]
    atheris.Setup([*arguments, "-rss_limit_mb=4096", "-timeout=20", "-max_len=65536"], fuzzing.once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
