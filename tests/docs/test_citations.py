"""Whatever the repository cites lies in docs/laws or is a listed publication, and what docs/laws names exists."""

from __future__ import annotations

import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from seg5b.realism.laws import GATES
from tests.docs.pages import LAWS, ROOT, anchors, named_paths, pages

FOLDERS = ("seg5b", "kernels", "tests", "bench", "contracts", "config", "docs")
FILES = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "Makefile", "pyproject.toml")
SUFFIXES = {".py", ".md", ".txt", ".yaml", ".yml", ".json", ".toml", ""}
# Texts that are not in the repository, whose names once stood for laws.
ABSENT = re.compile(
    r"behaviou?r (?:notes|\d)|segment_5b_behaviour|upstream_interface|realism_gates|world_calibration|public_shapes"
    r"|codebase_models|engineering_notes|audit_of_the_log|house\.md|design\.md|design law|shared/reference"
)
_CITED = r"[LTD][1-9]\d?(?:\.[a-z][a-z-]*)?"
TOKEN = re.compile(rf"(?<![\w.#-]){_CITED}(?!\w)")
RANGE = re.compile(r"(?<![\w.])([LTD])(\d+)-[LTD](\d+)\b")
LAW_GROUP = re.compile(r"[Ll]aws? (?:of )?L\d+(?:\.[a-z-]+)?(?:(?:, | and | or |-)L\d+(?:\.[a-z-]+)?)*")
NAMED = re.compile(r"docs/laws#([\w.-]*\w)")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
PUBLISHED = re.compile(
    r"\b(?:AS \d{2,}|RFC \d+|FIPS \d+(?:-\d+)?|ISO \d{4}|IEEE \d+|[A-Z][a-z]+ et al|fdlibm|Wichura|Vose|Walker|Box-Muller"
    r"|SplitMix64|Ornstein-Uhlenbeck|Kolmogorov-Smirnov|Philox|Random123|SHA-256|TZif)\b"
)
OWN = Path(__file__)


def _scanned() -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    found += [ROOT / name for name in FILES]
    hidden = {"results", "__pycache__", "img"}
    return sorted(path for path in found if path.is_file() and path != OWN and not hidden & set(path.parts))


def _prose(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of what people read: comments and strings of Python, everything of other files."""
    source = path.read_text("utf-8")
    if path.suffix != ".py":
        yield 1, source
        return
    comments: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments.append((token.start[0], token.string))
        elif token.type == tokenize.STRING or tokenize.tok_name[token.type] == "FSTRING_MIDDLE":
            yield token.start[0], token.string
    yield from _joined(comments)


def _joined(comments: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Comments on consecutive lines as one text."""
    block: list[str] = []
    for (line, text), (following, _) in pairwise([*comments, (-1, "")]):
        block.append(text.lstrip("# "))
        if following != line + 1:
            yield line - len(block) + 1, "\n".join(block)
            block = []


@cache
def _texts() -> tuple[tuple[str, str], ...]:
    """(place, text) of everything scanned, each run of white space one blank."""
    found = []
    for path in _scanned():
        for line, text in _prose(path):
            found.append((f"{path.relative_to(ROOT).as_posix()}:{line}", " ".join(text.split())))
    return tuple(found)


@cache
def _defined() -> frozenset[str]:
    return frozenset(anchor for text in pages().values() for anchor in anchors(text))


def test_every_law_gate_and_defect_resolves() -> None:
    """Laws, gates and defects cited by number, both ends of ranges included, have their anchor."""
    unknown = []
    for place, text in _texts():
        cited = {match.group() for match in TOKEN.finditer(text)}
        for kind, first, last in RANGE.findall(text):
            cited |= {f"{kind}{number}" for number in range(int(first), int(last) + 1)}
        unknown += [f"{place}: {anchor}" for anchor in sorted(cited - _defined())]
    assert unknown == []


def test_laws_are_cited_in_one_form() -> None:
    """`law L7`, `law L7.routing`, `laws L5 and L6`: so that one search finds them. Indexes of the pages themselves aside."""
    loose = []
    for place, text in _texts():
        rest = LAW_GROUP.sub("", text)
        loose += [
            f"{place}: {match}" for match in TOKEN.findall(rest) if match[0] == "L" and not place.startswith("docs/")
        ]
    assert loose == []


def test_every_named_anchor_resolves() -> None:
    """`docs/laws#stream-message`."""
    unknown = [f"{place}: {name}" for place, text in _texts() for name in NAMED.findall(text) if name not in _defined()]
    assert unknown == []


def test_nothing_absent_is_cited() -> None:
    """Texts that the repository does not have are not spoken of."""
    assert [f"{place}: {match.group()}" for place, text in _texts() for match in ABSENT.finditer(text)] == []


def test_anchors_are_unique() -> None:
    """No two places of the pages share an anchor."""
    counted = Counter(anchor for text in pages().values() for anchor in anchors(text))
    assert [anchor for anchor, times in counted.items() if times > 1] == []


def test_all_laws_gates_and_defects_are_defined() -> None:
    """L1-L18, every gate, D1-D33, and nothing beyond."""
    wanted = {f"{kind}{number}" for kind, last in (("L", 18), ("D", 33)) for number in range(1, last + 1)}
    assert {anchor for anchor in _defined() if re.fullmatch(r"[LTD]\d+", anchor)} == wanted | set(GATES)


@pytest.mark.parametrize("page", sorted(pages()))
def test_paths_that_a_page_names_exist(page: str) -> None:
    """`Kept in`, `Tested in`, and any other path between backticks."""
    assert [path for path in named_paths(pages()[page]) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", sorted(set(pages()) - {"README.md", "references.md", "defects.md"}))
def test_every_section_says_where_it_is_kept_and_tested(page: str) -> None:
    """Each heading with an anchor of its own, and with a path behind either word."""
    silent = []
    for part in re.split(r'^(?=<a id="[^"]+"></a>\n#)', pages()[page], flags=re.MULTILINE)[1:]:
        for word in ("Kept in", "Tested in"):
            said = re.search(rf"^- {word}: (.+(?:\n  .+)*)", part, flags=re.MULTILINE)
            if said is None or not named_paths(said.group(1)):
                silent.append(f"{anchors(part)[0]}: {word}")
    assert silent == []


def test_links_of_documents_lead_somewhere() -> None:
    """Relative links of Markdown files: the file exists and has the anchor."""
    broken = []
    for path in _scanned():
        for target, anchor in LINK.findall(path.read_text("utf-8")) if path.suffix == ".md" else ():
            goal = (path.parent / target).resolve() if target else path
            if not goal.exists() or (anchor and goal.parent == LAWS and not _has(goal, anchor)):
                broken.append(f"{path.relative_to(ROOT)}: {target}#{anchor}")
    assert broken == []


def _has(page: Path, anchor: str) -> bool:
    return anchor in anchors(page.read_text("utf-8"))


def test_the_index_names_every_anchor() -> None:
    """Whoever meets `docs/laws#x` finds x in the index; gates and defects stand there as ranges."""
    linked = {anchor for _, anchor in LINK.findall(pages()["README.md"])}
    assert sorted(anchor for anchor in _defined() - linked if not re.fullmatch(r"[TD]\d+", anchor)) == []


def test_publications_are_listed() -> None:
    """Every published source that is named has its entry."""
    listed = " ".join(pages()["references.md"].split())
    named = {match.group() for _, text in _texts() for match in PUBLISHED.finditer(text)}
    assert sorted(name for name in named if name not in listed) == []


def test_no_merge_left_its_marks() -> None:
    marked = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)
    assert [path.relative_to(ROOT).as_posix() for path in _scanned() if marked.search(path.read_text("utf-8"))] == []
