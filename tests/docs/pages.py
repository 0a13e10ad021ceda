"""The pages of docs/laws as data: their text, anchors, tables and the paths they name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAWS = ROOT / "docs" / "laws"
_ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"(?:seg5b|kernels|tests|bench|contracts|config|docs)/[^{<*]*")


def pages() -> dict[str, str]:
    """Text of each page by file name."""
    return {page.name: page.read_text("utf-8") for page in sorted(LAWS.glob("*.md"))}


def anchors(text: str) -> list[str]:
    """Anchors of a page, in order."""
    return _ANCHOR.findall(text)


def named_paths(text: str) -> list[str]:
    """Paths of the repository that a text names between backticks; templates aside."""
    return [code for code in _CODE.findall(text) if _PATH.fullmatch(code)]


def section(name: str, anchor: str) -> str:
    """Text of a page from an anchor to the next heading."""
    text = (LAWS / name).read_text("utf-8").split(f'<a id="{anchor}"></a>')[1]
    heading, _, rest = text.lstrip().partition("\n")
    return heading + "\n" + re.split(r"^#", rest, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Cells of all table rows of a text without headers, backticks dropped."""
    found = []
    for line in text.splitlines():
        if line.startswith("|"):
            cells = [cell.replace("\0", "|").strip() for cell in line.replace(r"\|", "\0").strip("|").split("|")]
            found.append([cell.replace("`", "") for cell in cells])
    heads = {index - 1 for index, cells in enumerate(found) if not set("".join(cells)) - set("-: ")}
    return [cells for index, cells in enumerate(found) if index not in heads | {head + 1 for head in heads}]
