"""A published run as SQL tables: its outputs as views, its sealed inputs beside them, and the small tables that one pass
over the large ones leaves.

`open_run_tables` gives the whole run as a `Subject`; `scenario_tables` adds one scenario's outputs. What is made of the
tables (checks, explanations, scores) belongs to the rooms above.
"""

from seg5b.run_tables.outputs import OUTPUT_TABLES, OutputTable, dataset_path, output_files
from seg5b.run_tables.policies import RunPolicies
from seg5b.run_tables.subject import FULL, SAMPLED, Subject
from seg5b.run_tables.views import scenario_tables
from seg5b.run_tables.whole_run import open_run_tables

__all__ = [
    "FULL",
    "OUTPUT_TABLES",
    "SAMPLED",
    "OutputTable",
    "RunPolicies",
    "Subject",
    "dataset_path",
    "open_run_tables",
    "output_files",
    "scenario_tables",
]
