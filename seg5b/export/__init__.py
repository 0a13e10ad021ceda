"""Datasets leave a run: as files, on stdout, to object storage, to Delta and Iceberg (law L18, docs/laws#export-form)."""

from seg5b.export.exporting import Exported, export_dataset
from seg5b.export.request import ExportRequest

__all__ = ["ExportRequest", "Exported", "export_dataset"]
