"""Checks that find what is wrong with data in an atlas though every byte is whole: one module each.

A check is a frozen keyword-only dataclass with defaults, derived from `SaeCheck` or `CorpusCheck`; the module attribute
`plugin` is the class. Other packages add theirs by an entry point in the group `saeatlas.health`.
"""

from saeatlas.health._check import CorpusCheck, Finding, SaeCheck, Verdict
from saeatlas.health._doctor import Diagnosis, checks, diagnose

__all__ = ["CorpusCheck", "Diagnosis", "Finding", "SaeCheck", "Verdict", "checks", "diagnose"]
