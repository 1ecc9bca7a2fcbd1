"""Check the logs of labels: every line whole and understood, every feature there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from saeatlas.errors import NotFound, SaeatlasError
from saeatlas.format.event_log import check_log
from saeatlas.format.labels import CATEGORIES

if TYPE_CHECKING:
    from saeatlas.format.commit import Commit
    from saeatlas.storage.store import Store

__all__ = ["CheckedLabels", "check_labels"]

Problem = tuple[str, str, str]
"""Key, kind and sentence, as of a finding."""


@dataclass
class CheckedLabels:
    """What was looked at."""

    findings: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    """What is no damage, such as the line that a killed writer left."""
    files: int = 0
    bytes: int = 0


def check_labels(store: Store, commit: Commit) -> CheckedLabels:
    """Read all logs below `labels/`; what stands in them is about SAEs and features of the newest commit, or noted."""
    checked = CheckedLabels()
    for owner in store.children("labels"):
        prefix = f"labels/{owner}"
        problems, files, size = check_log(store, prefix)
        checked.files, checked.bytes = checked.files + files, checked.bytes + size
        torn = [(one.key, one.kind, one.message) for one in problems if one.kind == "torn-line"]
        checked.notes += torn
        checked.findings += [(one.key, one.kind, one.message) for one in problems if one.kind != "torn-line"]
        if len(problems) == len(torn):
            _check_events(store, commit, owner, checked)
    return checked


def _check_events(store: Store, commit: Commit, owner: str, checked: CheckedLabels) -> None:
    """Check what the events of a log without damage say."""
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.atlas.label_categories import Categories

    prefix = f"labels/{owner}"
    try:
        if prefix == CATEGORIES:
            Categories(store).events()
            return
        sae = Atlas(store, commit).sae(owner)
        events, n_features = sae.labels.events(), sae.n_features
    except NotFound:
        message = f"'{prefix}' holds labels of an SAE that commit {commit.number} does not have"
        checked.notes.append((prefix, "unknown-sae", message))
        return
    except SaeatlasError as error:
        checked.findings.append((prefix, error.kind, error.message))
        return
    for event in events:
        if event.sae != owner:
            message = f"The event '{event.id}' in '{prefix}' is about the SAE '{event.sae}'"
            checked.findings.append((prefix, "wrong-content", message))
        elif event.features[-1] >= n_features:
            is_other = sae.labels.is_changed(event.identity)
            message = f"The event '{event.id}' in '{prefix}' is about feature {event.features[-1]} of {n_features}"
            place = checked.notes if is_other else checked.findings
            place.append((prefix, "unknown-feature", message))
