"""The documentation builds as a site without a warning, and its reference has every command, interface and kernel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from seg5b_kernels.registry import KERNELS

import seg5b
from docs.generate.commands import leaves
from docs.generate.interface import error_classes
from docs.generate.site import FROM_OUTSIDE, MADE, navigation, with_site_links

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors."""
    target = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    # Not --quiet: mkdocs would then count no warnings, and so refuse none.
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    return target


def headings(site: Path, page: str) -> set[str]:
    """Texts of a page's headings."""
    found = re.findall(r"<h[1-4] id=[^>]*>(.*?)<a", (site / page).read_text("utf-8"))
    return {re.sub(r"<[^>]+>", "", text) for text in found}


def test_every_page_is_there(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    for page in pages | MADE.keys() | FROM_OUTSIDE.keys():
        made = site / page.replace("README.md", "index.md")
        assert made.with_suffix(".html").is_file(), page


def test_the_reference_has_every_command(site: Path) -> None:
    assert {f"seg5b {' '.join(words)}" for words, _ in leaves()} <= headings(site, "reference/cli.html")


def test_the_reference_has_the_whole_interface(site: Path) -> None:
    there = headings(site, "reference/api.html")
    public = {f"Run.{name}" for name in vars(seg5b.Run) if not name.startswith("_")} - {"Run.root", "Run.contracts"}
    assert public | {"open_run", "run", "Run"} | {kind.__name__ for kind in error_classes()} <= there


def test_the_reference_has_every_kernel(site: Path) -> None:
    assert {kernel.name for kernel in KERNELS} <= headings(site, "reference/kernels.html")


def test_the_site_fetches_nothing(site: Path) -> None:
    for path in site.rglob("*.html"):
        assert re.findall(r"<(?:script|img|link)[^>]*(?:src|href)=\"?https?:", path.read_text("utf-8")) == [], path.name


def test_links_are_written_as_they_work_in_the_repository() -> None:
    text = "[a](../ARCHITECTURE.md#the-idea) [b](how-to/cuda.md) [c](../pyproject.toml) [d](../nowhere.md) [e](https://x.y)"
    expected = "[a](explanation/architecture.md#the-idea) [b](how-to/cuda.md) c [d](../nowhere.md) [e](https://x.y)"
    assert with_site_links(text, "page.md") == expected
    assert with_site_links("[r](docs/realism.md)", "explanation/architecture.md") == "[r](../realism.md)"


def test_a_section_without_pages_is_left_out() -> None:
    found = navigation(["index.md", "laws/x.md", "laws/index.md", "realism.md"])
    assert found == [{"Home": "index.md"}, {"Laws": ["laws/index.md", "laws/x.md"]}, {"Explanation": ["realism.md"]}]
