"""saeatlas: one open store for sparse-autoencoder activations."""

__version__ = "0.1.0"
