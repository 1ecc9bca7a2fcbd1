"""What authors of stores, importers and analyses test theirs with; it is part of the package."""
