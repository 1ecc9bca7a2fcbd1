"""A project: what an atlas is made of, said in a file, and the run that brings an atlas up to date with it."""
