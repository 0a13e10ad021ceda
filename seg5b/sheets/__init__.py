"""A sheet: sections of sentences and small tables, as text would have them, on one HTML page without a script."""

from seg5b.sheets.html import article, document
from seg5b.sheets.parts import Section, Table

__all__ = ["Section", "Table", "article", "document"]
