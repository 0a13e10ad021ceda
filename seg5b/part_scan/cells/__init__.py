"""Intensities (S2) and counts (S3), one row per series and bucket: what is looked at of each, and what is kept of a range of
rows."""
