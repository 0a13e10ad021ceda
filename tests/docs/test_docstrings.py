"""What a public function raises itself, its docstring says. That every public name has a docstring is ruff's to keep."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import seg5b_kernels

import seg5b

SOURCES = [
    path for package in (seg5b, seg5b_kernels) for path in sorted(Path(inspect.getfile(package)).parent.rglob("*.py"))
]
SAID = re.compile(r"\b([Rr]aises?|Errors)\b|\b[A-Z]\w+Error\b")
ENDS_A_COMMAND = ("SystemExit", "click.")  # the command line's own, for wrong usage and exit statuses
OWED = {"Subject.relative"}  # in a room that is being moved


def public_functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef, str]]:
    """Name, function and the docstring of its class of every public function and of every public method."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node, ""
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method, ast.get_docstring(node) or ""


def raised(function: ast.FunctionDef) -> set[str]:
    """What a function raises itself, as written; not what functions inside it or below it raise."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            found.add(ast.unparse(node.exc.func))
        waiting += ast.iter_child_nodes(node)
    return {name for name in found if not name.startswith(ENDS_A_COMMAND)}


def silent(source: str, place: str) -> list[str]:
    """Public functions of a module that raise something and do not say so."""
    return [
        f"{place}:{function.lineno} {name} raises {', '.join(sorted(kinds))}"
        for name, function, above in public_functions(ast.parse(source))
        if name not in OWED
        and (kinds := raised(function))
        and not SAID.search(f"{ast.get_docstring(function) or ''} {above}")
    ]


def test_functions_that_raise_say_so() -> None:
    assert [line for path in SOURCES for line in silent(path.read_text("utf-8"), path.name)] == []


def test_a_silent_function_is_found() -> None:
    source = 'def f():\n    """Do."""\n    if True:\n        raise RunError("5B.X", "y")\n'
    assert silent(source, "m") == ["m:1 f raises RunError"]
    assert silent(source.replace("Do.", "Do. Raises `RunError`."), "m") == []
