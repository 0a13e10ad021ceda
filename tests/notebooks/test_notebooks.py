"""The notebooks of the documentation run, and show what they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
PATIENCE_S = 300
VARIES = "varies"
"""Tag of a cell whose output tells a place or a time."""


def shown(notebook: Any) -> list[str]:
    """What the cells give back, as text."""
    return [
        output["data"]["text/plain"]
        for cell in notebook.cells
        if cell.cell_type == "code" and VARIES not in cell.metadata.get("tags", ())
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.ipynb")))
def test_a_notebook_runs_and_shows_what_it_shows(name: str) -> None:
    client, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    kept = nbformat.read(FOLDER / name, as_version=4)
    again = nbformat.read(FOLDER / name, as_version=4)
    client.NotebookClient(again, timeout=PATIENCE_S, kernel_name="python3").execute()
    assert shown(again) == shown(kept) != []
    streams = [
        output
        for cell in again.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    ]
    assert streams == []
