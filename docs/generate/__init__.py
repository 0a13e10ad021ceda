"""Pages of ``docs/reference`` that are written by a program, from policies and contracts."""
