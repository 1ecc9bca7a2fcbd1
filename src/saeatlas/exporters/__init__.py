"""Exporters: one file for each target that other tools read."""
