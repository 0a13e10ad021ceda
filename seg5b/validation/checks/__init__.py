"""The checks, one subject per file. `seg5b.validation.registry` lists them all."""
