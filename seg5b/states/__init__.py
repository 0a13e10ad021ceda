"""The states S1-S4, in order. Each takes a `StateWork`, publishes its datasets and returns facts for the run report.

They do not import each other; what they share lies in the rooms around them.
"""
