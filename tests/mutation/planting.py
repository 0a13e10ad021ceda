"""Copies of the sources with a fault in them, and programs that run with such a copy.

Where no kernel is touched, a copy of ``seg5b`` alone stands before the repository's own kernels, which are compiled already.
Where one is, the compiled forms of all kernels that do not come to use the changed file are taken over.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from seg5b_compiled import source_digest

from tests.mutation.records import Edit

REPOSITORY = Path(__file__).parents[2]
KERNELS = "kernels/seg5b_kernels"
LIMIT_S = 900.0
_BYTECODE = shutil.ignore_patterns("__pycache__")


class Sources:
    """A copy of the sources in ``folder``, in which one fault at a time is planted."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._cache = folder / "code", folder / "cache"
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("seg5b", "kernels"):
            shutil.copytree(REPOSITORY / name, self.folder / name, ignore=_BYTECODE)
        for name in ("contracts", "config"):
            (self.folder / name).symlink_to(REPOSITORY / name)
        self._compiled = self._cache / "seg5b" / f"kernels-{source_digest(self.folder / KERNELS)}"

    @contextmanager
    def planted(self, edits: Sequence[Edit], places: Mapping[str, str]) -> Iterator[Program]:
        """What runs with these edits. Raises AssertionError for one whose text does not occur exactly once."""
        touched = {edit.file for edit in edits}
        kernels = {Path(name).stem for name in touched if name.startswith(KERNELS)}
        try:
            for edit in edits:
                file = self.folder / edit.file
                text, old, new = file.read_text("utf-8"), filled(edit.old, places), filled(edit.new, places)
                found = text.count(old)
                assert found == 1, f"{edit.file} has the text of this fault {found} times: {old}"
                file.write_text(text.replace(old, new), "utf-8")
            if not kernels:
                yield Program(self.folder, REPOSITORY / "kernels", None)
            else:
                with self._partly_compiled(kernels):
                    yield Program(self.folder, self.folder / "kernels", self._cache)
        finally:
            for name in touched:
                shutil.copy2(REPOSITORY / name, self.folder / name)

    @contextmanager
    def _partly_compiled(self, changed: set[str]) -> Iterator[None]:
        """Compiled forms of the kernels that a change does not reach, for the changed sources to find."""
        own = self._compiled.with_name(f"kernels-{source_digest(self.folder / KERNELS)}")
        stale = _users(self.folder / KERNELS, REPOSITORY / KERNELS, changed)

        def of_stale(_folder: str, names: list[str]) -> list[str]:
            return [name for name in names if name.split(".")[0] in stale]

        if self._compiled.is_dir() and own != self._compiled:
            shutil.copytree(self._compiled, own, copy_function=shutil.copy2, ignore=of_stale)
        try:
            yield
        finally:
            if own != self._compiled:
                shutil.rmtree(own, ignore_errors=True)

    def compiled(self) -> Program:
        """The unchanged sources of this copy, kernels too: whatever they compile is there for every fault."""
        return Program(self.folder, self.folder / "kernels", self._cache)


class Program:
    """Commands that run with the sources of a folder."""

    def __init__(self, sources: Path, kernels: Path, cache: Path | None) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "SEG5B_"))},
            "PYTHONPATH": os.pathsep.join(map(str, (sources, kernels, REPOSITORY))),
            "PYTHONDONTWRITEBYTECODE": "1",
            **({} if cache is None else {"XDG_CACHE_HOME": str(cache)}),
        }

    def run(self, module: str, *words: str | Path) -> str:
        """What ``python -m module`` prints. Raises RuntimeError where it fails."""
        command = [sys.executable, "-W", "ignore", "-m", module, *map(str, words)]
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            cwd="/",
            timeout=LIMIT_S,
        )
        if ended.returncode:
            raise RuntimeError(f"{' '.join(command[4:])}: {(ended.stdout + ended.stderr)[-2000:]}")
        return ended.stdout

    def realise(self, runs_root: Path, first: str, last: str) -> None:
        """Run states of the one run below a runs root on one thread, which publishes what they make."""
        words = ("--from", first, "--to", last, "--backend", "cpu", "--threads", "1", "--quiet")
        self.run("seg5b", "run", "--runs-root", runs_root, *words)


def filled(text: str, places: Mapping[str, str]) -> str:
    """Text with the places of a world in it."""
    for name, value in places.items():
        text = text.replace(f"@{name}@", value)
    return text


def _users(folder: Path, before: Path, changed: set[str]) -> set[str]:
    """Modules of a package whose compiled forms are stale: the changed ones, and whatever imports from a stale one a function,
    or a constant that was another ``before``."""
    imports = {file.stem: _imported(file) for file in folder.glob("*.py")}
    carried = {file.stem: _functions(file) | _other_constants(file, before / file.name) for file in folder.glob("*.py")}
    found: set[str] = set()
    more = set(changed)
    while more:
        found |= more
        more = {
            user for user, used in imports.items() if any(used.get(stale, set()) & carried[stale] for stale in found)
        }
        more -= found
    return found


def _imported(file: Path) -> dict[str, set[str]]:
    """Names by the module that they are imported from."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.setdefault(node.module.rpartition(".")[2], set()).update(name.name for name in node.names)
    return found


def _functions(file: Path) -> set[str]:
    return {node.name for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)}


def _other_constants(file: Path, before: Path) -> set[str]:
    now, then = _constants(file), _constants(before)
    return {name for name in now.keys() | then.keys() if now.get(name) != then.get(name)}


def _constants(file: Path) -> dict[str, str]:
    nodes = (node for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, ast.Assign))
    return {ast.unparse(target): ast.unparse(node.value) for node in nodes for target in node.targets}
