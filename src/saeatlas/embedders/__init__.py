"""Embedders: one file for each way to turn texts into vectors."""
