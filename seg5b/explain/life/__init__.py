"""The life of an arrival, told to a person: sentences and small tables over what was derived, as text, HTML and data."""

from seg5b.explain.life.parts import Integers, Life
from seg5b.explain.life.telling import tell_arrival, tell_bucket
from seg5b.sheets import Section, Table

__all__ = ["Integers", "Life", "Section", "Table", "tell_arrival", "tell_bucket"]
