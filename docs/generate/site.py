"""What mkdocs is told beyond `mkdocs.yml`: pages that are made, pages that lie outside docs/, and their order.

The reference of commands, interface and kernels is made with the site and not kept: it would change with every docstring.

Links are written as they work in the repository. On the site, a link to a page from outside docs/ leads to where that page
stands there, and a link to any other file of the repository is shown without being one.
"""

from __future__ import annotations

import re
import sys
from os.path import relpath
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
if str(ROOT) not in sys.path:  # mkdocs reads this file by its path
    sys.path.insert(0, str(ROOT))

from docs.generate.commands import commands_page  # noqa: E402
from docs.generate.interface import interface_page, kernels_page  # noqa: E402

MADE = {
    "reference/cli.md": commands_page,
    "reference/api.md": interface_page,
    "reference/kernels.md": kernels_page,
}
FROM_OUTSIDE = {
    "explanation/architecture.md": ROOT / "ARCHITECTURE.md",
    "explanation/contributing.md": ROOT / "CONTRIBUTING.md",
    "explanation/changelog.md": ROOT / "CHANGELOG.md",
}
SECTIONS = {
    "Tutorial": ("tutorial/",),
    "How to": ("how-to/",),
    "Reference": ("reference/",),
    "Laws": ("laws/",),
    "Explanation": ("explanation/", ""),
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not files of docs/, and set the order of all."""
    for name, make in MADE.items():
        files.append(File.generated(config, name, content=make()))
    for name, path in FROM_OUTSIDE.items():
        files.append(File.generated(config, name, content=path.read_text("utf-8")))
    config.nav = navigation([file.src_uri for file in files.documentation_pages()])
    return files


def navigation(pages: list[str]) -> list[dict[str, Any]]:
    """The home page, then each section with the pages of its folders."""
    left = set(pages) - {"index.md"}
    found: list[dict[str, Any]] = [{"Home": "index.md"}]
    for section, folders in SECTIONS.items():
        mine = sorted((page for page in left if _folder(page) in folders), key=_first_its_index)
        left -= set(mine)
        if mine:
            found.append({section: mine})
    return found


def _folder(page: str) -> str:
    return page[: page.rfind("/") + 1]


def _first_its_index(page: str) -> tuple[str, bool, str]:
    return _folder(page), not page.endswith(("index.md", "README.md")), page


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Links as they work on the site."""
    return with_site_links(markdown, page.file.src_uri)


def with_site_links(markdown: str, name: str) -> str:
    """The text of the page ``name`` with links that lead to pages of the site."""
    origin = FROM_OUTSIDE.get(name, DOCS / name).parent
    inside = {path: each for each, path in FROM_OUTSIDE.items()}

    def replaced(match: re.Match[str]) -> str:
        mark, label, target, anchor = match.groups("")
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = (origin / target).resolve()
        if path in inside or path.is_relative_to(DOCS):
            there = inside.get(path) or path.relative_to(DOCS).as_posix()
            return f"{mark}[{label}]({relpath(there, PurePosixPath(name).parent)}{anchor})"
        return label if path.exists() else match[0]

    return _LINK.sub(replaced, markdown)
