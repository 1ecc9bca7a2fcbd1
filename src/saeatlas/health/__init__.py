"""Health checks: one file for each thing that identity alone cannot find."""
