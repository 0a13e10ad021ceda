"""The page on the Python interface, and the page on kernels, from their docstrings."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from seg5b_kernels import registry

import seg5b
from seg5b import api, errors, options, session
from seg5b.export import Exported, ExportRequest
from seg5b.runs.identity import RunIdentity
from seg5b.stream import Delivery, Stream, StreamRequest
from seg5b.world.forecast import Forecast
from seg5b.world.own import World

FUNCTIONS = (api.open_run, api.run)
CLASSES = (
    api.Run,
    RunIdentity,
    World,
    Forecast,
    ExportRequest,
    Exported,
    StreamRequest,
    Stream,
    Delivery,
    options.Options,
    options.GateOptions,
    options.Tuning,
    options.ValidationOptions,
    session.RunResult,
    session.StateResult,
)


def interface_page() -> str:
    """The whole page, as Markdown: what ``import seg5b`` offers, what it returns, and what it raises."""
    return "\n".join(
        [
            "# Python interface\n",
            f"`import seg5b` offers {', '.join(f'`{name}`' for name in seg5b.__all__)}.\n",
            *(f"## {each.__name__}\n\n{_function(each)}" for each in FUNCTIONS),
            *(f"## {each.__name__}\n\n{_class(each)}" for each in CLASSES),
            f"## Errors\n\n{_text(errors)}",
            *(f"### {each.__name__}\n\n{_text(each)}" for each in error_classes()),
        ]
    )


def kernels_page() -> str:
    """The whole page, as Markdown: modules of kernels, their named tuples and their element functions."""
    modules = dict.fromkeys(_module(kernel) for kernel in registry.KERNELS)
    return "\n".join(["# Kernels\n", f"{_text(registry)}", *(_kernels_of(module) for module in modules)])


def error_classes() -> list[type[errors.Seg5bError]]:
    """`Seg5bError` and its subclasses, in the order of the source."""
    return [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, errors.Seg5bError)]


def _kernels_of(module: ModuleType) -> str:
    elements = [kernel.element for kernel in registry.KERNELS if _module(kernel) is module]
    tuples = [each for each in vars(module).values() if _is_named_tuple(each) and each.__module__ == module.__name__]
    return "\n".join(
        [
            f"## {module.__name__}\n\n{_text(module)}",
            *(f"### {each.__name__}\n\n{_function(each.py_func)}" for each in elements),
            *(f"### {each.__name__}\n\n{_text(each)}" for each in tuples),
        ]
    )


def _is_named_tuple(thing: object) -> bool:
    return inspect.isclass(thing) and issubclass(thing, tuple) and hasattr(thing, "_fields")


def _module(kernel: registry.Kernel) -> ModuleType:
    found = inspect.getmodule(kernel.element.py_func)
    assert found is not None
    return found


def _class(kind: type[Any]) -> str:
    fields = ", ".join(f"{name}: {text}" for name, text in inspect.get_annotations(kind).items())
    return "\n".join(
        [
            f"```python\n{kind.__name__}({fields})\n```\n\n{_text(kind)}",
            *(f"### {kind.__name__}.{name}\n\n{text}" for name, text in _members(kind)),
        ]
    )


def _members(kind: type[Any]) -> Iterator[tuple[str, str]]:
    """Public methods, of the class too, and properties, in the order of the source."""
    for name, member in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield name, _text(member)
        elif isinstance(member, classmethod):
            yield name, _function(member.__func__)
        elif inspect.isfunction(member):
            yield name, _function(member)


def _function(function: Callable[..., Any]) -> str:
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(node, ast.FunctionDef)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"```python\n{node.name}({ast.unparse(node.args)}){returns}\n```\n\n{_text(function)}"


def _text(thing: object) -> str:
    return f"{inspect.getdoc(thing) or ''}\n"
