"""Runs every check on every SAE and corpus of an atlas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saeatlas.errors import SaeatlasError
from saeatlas.health._check import CorpusCheck, Finding, SaeCheck
from saeatlas.progress import SILENT, Progress
from saeatlas.registry import Registry

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.atlas.corpus import Corpus
    from saeatlas.atlas.sae import SAE

__all__ = ["Diagnosis", "checks", "diagnose"]


@dataclass(frozen=True)
class Diagnosis:
    """A finding, and what it is about."""

    check: str
    """Name of the check."""
    sae: str | None
    """SAE that was examined; None for a corpus."""
    corpus: str | None
    """Corpus that was examined; None for an SAE."""
    finding: Finding

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values, the numbers of the finding beside the rest."""
        subject = {"sae": self.sae} if self.corpus is None else {"sae": None, "corpus": self.corpus}
        found = self.finding
        about = {"verdict": found.verdict, "message": found.message, "remedy": found.remedy}
        return {"check": self.check, **subject, **about, **found.numbers}


def checks() -> Registry:
    """Return the registry of checks."""
    return Registry("saeatlas.health", SaeCheck, CorpusCheck)


def diagnose(atlas: Atlas, saes: Sequence[str] = (), progress: Progress = SILENT) -> list[Diagnosis]:
    """Run every check with its defaults.

    Parameters
    ----------
    saes
        SAEs to examine, with the corpora that they ran on; none for everything in the atlas.
    progress
        Told of each check, and by the checks of their steps.

    Returns
    -------
    list[Diagnosis]
        By SAE, then corpus, then check. A check that fails because something cannot be read is a finding, `wrong`:
        the others still run.
    """
    chosen = [atlas.sae(name) for name in (saes or atlas.saes)]
    own = sorted({sae.corpus.name for sae in chosen if sae.has_activations})
    corpora = own if saes else atlas.corpora
    found = []
    plugins = [(name, checks()[name]()) for name in checks()]
    with progress.task("Examining", total=len(chosen) + len(corpora), unit="SAEs and corpora") as task:
        for sae in chosen:
            for name, check in plugins:
                if isinstance(check, SaeCheck):
                    found += [Diagnosis(name, sae.name, None, one) for one in _of_sae(check, sae, progress)]
            task.advance(1)
        for corpus in map(atlas.corpus, corpora):
            for name, check in plugins:
                if isinstance(check, CorpusCheck):
                    found += [Diagnosis(name, None, corpus.name, one) for one in _of_corpus(check, corpus, progress)]
            task.advance(1)
    return found


def _of_sae(check: SaeCheck, sae: SAE, progress: Progress) -> Iterable[Finding]:
    try:
        return list(check.examine(sae, progress))
    except SaeatlasError as error:
        return [_failed(error)]


def _of_corpus(check: CorpusCheck, corpus: Corpus, progress: Progress) -> Iterable[Finding]:
    try:
        return list(check.examine(corpus, progress))
    except SaeatlasError as error:
        return [_failed(error)]


def _failed(error: SaeatlasError) -> Finding:
    return Finding(
        "wrong",
        f"The check could not be made: {error.message}",
        error.hint or "Run 'saeatlas verify --deep'.",
        {"error": error.kind},
    )
