"""Documentation lines of policy files.

Law: a line whose first characters after blanks are ``#:`` is no part of a policy. The shipped policies explain every key
in such lines; a world gets its policies without them, so that explaining a key better changes no identity and no number.
Any other comment is part of a policy, as are documentation lines that are written into a policy of a run: a run's
files are sealed byte by byte.
"""

from __future__ import annotations

MARK = "#:"
"""What a documentation line starts with, after blanks."""


def without_documentation(content: bytes) -> bytes:
    """The bytes of a policy file without its documentation lines; every other line stays as it is.

    Lines are told apart before YAML is parsed, so a policy must not hold a block of text with a line that starts with
    the mark.
    """
    mark = MARK.encode()
    return b"".join(line for line in content.splitlines(keepends=True) if not line.lstrip().startswith(mark))
