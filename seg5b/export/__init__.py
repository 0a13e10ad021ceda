"""Datasets leave a run: as files, on stdout, to object storage, to Delta and Iceberg (law L18, docs/laws#export-form); a whole
run, as the reference engine has it (docs/laws#reference-form)."""

from seg5b.export.exporting import Exported, export_dataset
from seg5b.export.reference_root import ReferenceRoot, export_reference_root
from seg5b.export.request import ExportRequest

__all__ = ["ExportRequest", "Exported", "ReferenceRoot", "export_dataset", "export_reference_root"]
