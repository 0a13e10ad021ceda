"""Rows as text, CSV or JSON lines, at the speed at which they are read (docs/laws#text-form)."""

from seg5b.tables.text.lines import Lines, TextColumn, TextForm, constant_text, moment_texts

__all__ = ["Lines", "TextColumn", "TextForm", "constant_text", "moment_texts"]
