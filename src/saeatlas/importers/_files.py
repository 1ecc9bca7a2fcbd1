"""What every source file must be before a reader opens it: see `saeatlas.format.source_file`, which analyses share."""

from __future__ import annotations

from saeatlas.format.source_file import HDF5_MAGIC, PARQUET_MAGIC, ZIP_MAGIC, check_file, fingerprint

__all__ = ["HDF5_MAGIC", "PARQUET_MAGIC", "ZIP_MAGIC", "check_file", "fingerprint"]
