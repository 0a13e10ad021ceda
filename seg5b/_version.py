"""The one place that states the version; packaging and file metadata read it from here."""

__version__ = "0.1.0"
