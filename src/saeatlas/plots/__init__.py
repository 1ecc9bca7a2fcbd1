"""Plots: one file for each picture."""
