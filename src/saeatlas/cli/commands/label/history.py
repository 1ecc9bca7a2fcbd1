"""`saeatlas label history`: everything that was ever said about a feature."""

from __future__ import annotations

from saeatlas.cli.discovery import LABEL as GROUP
from saeatlas.cli.labels import event_facts, shown_tags
from saeatlas.cli.options import AsJson, AtlasOption, FeatureReference
from saeatlas.cli.render import screen
from saeatlas.cli.render.tables import Column, write_table
from saeatlas.cli.target import open_feature

__all__ = ["GROUP", "command"]


def command(reference: FeatureReference, /, *, atlas: AtlasOption = "", as_json: AsJson = False) -> None:
    """Show every event about a feature, the newest first: who said what when, and what ended it.

    Example: saeatlas label history gpt2-l8/16751
    """
    feature = open_feature(atlas, reference)
    found = feature.sae.labels.of(feature.id).history
    if as_json:
        events = [
            event_facts(one.event)
            | {
                "superseded_by": one.superseded_by,
                "is_retracted": one.is_retracted,
                "identity_changed": one.identity_changed,
            }
            for one in found
        ]
        screen.write_json({"sae": feature.sae.name, "feature": feature.id, "history": events})
        return
    names = ("at", "by", "action", "text", "category", "tags", "notes", "state", "id")
    lines = []
    for one in found:
        state = "holds" if one.is_current else "retracted" if one.is_retracted else "superseded"
        tags = shown_tags(one.said.tags)
        facts = event_facts(one.event) | {"tags": tags, "state": state if one.event.action == "label" else None}
        if one.identity_changed:
            facts["state"] = f"{facts['state'] or ''} (about another SAE)".strip()
        lines.append([facts.get(name) for name in names])
    write_table([Column(name, is_text=True) for name in names], lines)
