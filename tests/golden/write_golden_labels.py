"""Write the golden labels of one schema: `python tests/golden/write_golden_labels.py tests/golden/labels_2`.

Those of a schema that was released are never written again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import saeatlas as sa
from saeatlas.pipeline.label_exchange import import_labels
from saeatlas.pipeline.labelling import drop_category, retract, set_category
from saeatlas.storage import LocalStore, MemoryStore
from saeatlas.testing.make_atlas import make_atlas


def main(target: Path) -> None:
    """Say something of every kind, tear a line, and keep what it means beside the files."""
    target.mkdir()
    toy = make_atlas(MemoryStore(), n_rows=40, n_features=16, tokens=False)
    store = LocalStore(target)
    atlas = sa.Atlas(_Joined(toy.store, store), toy.commit)  # type: ignore[arg-type]  # reads and writes as a store
    sae = atlas.sae()
    set_category(atlas, "topic", by="ana", colour="#0072b2", description="What it is about")
    set_category(atlas, "sport", by="ana", parent="topic")
    set_category(atlas, "gone", by="ana")
    drop_category(atlas, "gone", by="bo")
    theirs = sa.label(sae.feature(3), "first", by="bo", tags=["a", "b"], notes="two\nlines", confidence=0.25)
    sa.label(sae.feature(3), '日本 \\ "x" עברית 🙂', by="ana", category="topic", source="manual")
    with (target / "labels" / "toy" / "log.jsonl").open("ab") as file:
        file.write(b'{"checksum":"0123')
    sa.label(sae, "replaced", by="ana", features=[1, 3, 9], extra={"importance": 97.5, "nested": {"n": None}})
    sa.label(sae.feature(3), "named", by="cy", supersedes=[theirs.id])
    retract(sae.feature(9), by="ana", notes="a slip")
    (target / "a.csv").write_text("feature,text,by\n7,imported,dee\n", encoding="utf-8")
    import_labels(atlas, target / "a.csv")
    (target / "a.csv").unlink()
    (target / "staging").rmdir()
    expected = {
        "current": sae.labels.current.to_pylist(),
        "history": sae.labels.history.to_pylist(),
        "categories": [[one.name, one.colour, one.description, one.parent] for one in sae.labels.categories],
    }
    (target / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


class _Joined:
    """An atlas in memory whose labels are files."""

    def __init__(self, rest: object, labels: LocalStore) -> None:
        self._rest, self._labels = rest, labels

    def __getattr__(self, name: str) -> object:
        def call(key: str = "", *arguments: object, **options: object) -> object:
            store = self._labels if key.startswith("labels") else self._rest
            return getattr(store, name)(key, *arguments, **options)

        return call


if __name__ == "__main__":
    main(Path(sys.argv[1]))
