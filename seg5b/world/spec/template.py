"""A commented specification to begin with."""

from __future__ import annotations

from pathlib import Path

from seg5b.errors import WorldError
from seg5b.resources import resource_root
from seg5b.world.spec.source import SCHEMA_PATH, preset_path

TEMPLATE_PATH = "config/worlds/template.yaml"


def write_template(file: Path, preset: str | None = None) -> None:
    """Write the template, or the specification of a preset, with a line that tells editors where the schema is.

    Raises `WorldError` ``5B.WORLD.FILE_EXISTS`` where the file is there, ``5B.WORLD.WRITE_FAILED`` where it cannot be
    written, ``5B.WORLD.PRESET_UNKNOWN``.
    """
    source = preset_path(preset) if preset else resource_root() / TEMPLATE_PATH
    schema = (resource_root() / SCHEMA_PATH).as_uri()
    content = f"# yaml-language-server: $schema={schema}\n{source.read_text('utf-8')}"
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(content)
    except FileExistsError as cause:
        raise WorldError(
            "5B.WORLD.FILE_EXISTS", "the file is there", where=str(file), remedy="name another file, or remove it first"
        ) from cause
    except OSError as cause:
        raise WorldError(
            "5B.WORLD.WRITE_FAILED", f"cannot be written: {cause.strerror}", where=str(file), remedy="name another file"
        ) from cause
