"""seg5b realises the arrivals of a sealed card-payment world."""

from seg5b._version import __version__

__all__ = ["__version__"]
