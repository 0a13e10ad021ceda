"""Write the reference pages: ``python -m docs.generate`` at the top of a checkout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generate.datasets import dictionary_page
from docs.generate.policies import policies_page
from docs.generate.validation import validation_page

FOLDER = Path(__file__).resolve().parent.parent / "reference"
PAGES: Mapping[str, Callable[[], str]] = {
    "data_dictionary.md": dictionary_page,
    "policies.md": policies_page,
    "../validation.md": validation_page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), "utf-8")
        print(f"wrote {FOLDER / name}")
