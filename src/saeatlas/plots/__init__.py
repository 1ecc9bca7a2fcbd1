"""Plots: one file for each picture, and the function that draws one and writes it."""

from saeatlas.plots._write import check_picture_file, write_picture

__all__ = ["check_picture_file", "write_picture"]
