"""Arrivals (S4): what is looked at of each row, and what is kept of a file."""
