"""The page of the tiny run; copies of that run for tests that change something."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.api import Run, open_run
from seg5b.contracts import ContractSource
from seg5b.page import WrittenPage, write_page
from seg5b.runs.root import RunRoot
from tests.worlds import copy_run

SCENARIO = "baseline_v1"


@dataclass(frozen=True)
class Page:
    """A written page, parsed."""

    root: RunRoot
    contracts: ContractSource
    written: WrittenPage

    @property
    def text(self) -> str:
        return self.written.path.read_text("utf-8")

    def tree(self) -> ElementTree.Element:
        """The document as XML: parsing fails where a tag is not closed."""
        return ElementTree.fromstring(self.text.removeprefix("<!DOCTYPE html>\n"))

    def figure(self, anchor: str) -> dict[str, Any]:
        """What is embedded for a figure: columns, rows, specification."""
        (script,) = [node for node in self.tree().iter("script") if node.get("id") == f"data-{anchor}"]
        found: dict[str, Any] = json.loads(script.text or "")
        return found

    def rows(self, anchor: str, scenario_id: str = SCENARIO) -> list[dict[str, Any]]:
        """The rows of a figure that belong to a scenario, by column."""
        data = self.figure(anchor)
        rows = [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]
        return [row for row in rows if row["scenario"] == scenario_id]

    def titles(self) -> dict[str, str]:
        """Title of each figure by its anchor."""
        found = {}
        for figure in self.tree().iter("figure"):
            (heading,) = figure.iter("h3")
            found[figure.get("id", "")] = "".join(heading.itertext()).partition(" ")[2]
        return found

    def laws(self) -> dict[str, list[str]]:
        """The table of laws: values of the scenarios and the mark, by law."""
        (section,) = [node for node in self.tree().iter("section") if node.get("id") == "lawful"]
        lines = [["".join(cell.itertext()) for cell in row] for row in section.iter("tr")]
        return {line[0]: line[1:] for line in lines[1:]}

    def table(self, dataset_id: str, scenario_id: str = SCENARIO) -> pa.Table:
        return Run(self.root, self.contracts).table(dataset_id, scenario_id)


@pytest.fixture(scope="session")
def page(tiny_arrivals: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of the tiny run: not validated, not scored."""
    return draw(tiny_arrivals, tmp_path_factory.mktemp("drawn") / "report.html")


@pytest.fixture
def copy(tiny_arrivals: Path, tmp_path: Path) -> Path:
    """Runs root that a test may change."""
    return copy_run(tiny_arrivals, tmp_path).path.parent


def draw(runs_root: Path, out: Path | None = None, **options: Any) -> Page:
    """Write the page of the run below ``runs_root``, by default beside them."""
    run = open_run(runs_root)
    target = out or runs_root.parent / f"{runs_root.name}.html"
    return Page(run.root, run.contracts, write_page(run.root, run.contracts, target, overwrite=True, **options))


def change_arrivals(runs_root: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Rewrite the first part of the first scenario's arrivals."""
    part = min(open_run(runs_root).path("arrival_events_5B", SCENARIO).glob("*.parquet"))
    pq.write_table(change(pq.read_table(part, partitioning=None)), part)


def visible(text: str) -> str:
    """What stands between tags, scripts and styles aside."""
    return re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.S))
