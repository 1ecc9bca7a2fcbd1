"""Settings that hold for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A kernel compiles in the first example, and machines of continuous integration are slow: time is not a fact here.
settings.register_profile("saeatlas", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("saeatlas")
