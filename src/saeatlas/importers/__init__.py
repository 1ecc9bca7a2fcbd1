"""Importers: one module per source, each mapping it to rows, documents and tokens."""
