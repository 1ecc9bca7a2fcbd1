"""Two writers of labels, refusals and kills beside a model: what was acknowledged is there, and nothing else counts."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import saeatlas as sa
from saeatlas.errors import NotFound, StorageError
from saeatlas.format.labels import LabelEvent
from saeatlas.pipeline.gc import gc
from saeatlas.pipeline.label_exchange import import_labels
from saeatlas.pipeline.labelling import retract
from saeatlas.pipeline.verify import verify
from saeatlas.storage import LocalStore, Store
from saeatlas.testing.failing_store import FailingStore
from saeatlas.testing.make_atlas import make_atlas

N_FEATURES = 5
FEATURES = st.sets(st.integers(0, N_FEATURES - 1), min_size=1).map(sorted)
WRITERS = st.sampled_from([0, 1])
AUTHORS = st.sampled_from(["ana", "bo"])
TEXTS = st.sampled_from(["a", "b", "c"])


class TwoWriters(RuleBasedStateMachine):
    """Two programs hold the same atlas; each sees what the other said, whatever failed in between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        made = make_atlas(self.folder / "a.atlas", n_rows=20, n_features=N_FEATURES, k=2, tokens=False)
        self.stores = [FailingStore(LocalStore(self.folder / "a.atlas"), 0) for _ in range(2)]
        self.saes = [sa.Atlas(store, made.commit).sae() for store in self.stores]
        self.log = self.folder / "a.atlas" / "labels" / "toy" / "log.jsonl"
        self.acknowledged: dict[str, LabelEvent] = {}
        self.held: dict[int, list[tuple[str, str | None]]] = {feature: [] for feature in range(N_FEATURES)}
        """What holds: feature → (author, text), by the words of the documentation."""

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(writer=WRITERS, by=AUTHORS, features=FEATURES, text=TEXTS)
    def label(self, writer: int, by: str, features: list[int], text: str) -> None:
        self._took(sa.label(self.saes[writer], text, by=by, features=features))

    @rule(writer=WRITERS, by=AUTHORS, features=FEATURES, text=TEXTS, after=st.booleans())
    def label_and_fail(self, writer: int, by: str, features: list[int], text: str, *, after: bool) -> None:
        store = self.stores[writer]
        store.fail_at, store.after = store.writes + 1, after
        known = {event.id for event in self.saes[1 - writer].labels.events()}
        try:
            sa.label(self.saes[writer], text, by=by, features=features)
        except StorageError:
            # The reply was lost, and the label may be there: whoever looks takes it as said.
            for event in self.saes[1 - writer].labels.events():
                if event.id not in known:
                    assert after
                    self._took(event)
        else:
            raise AssertionError("the write did not fail")

    @rule(writer=WRITERS, by=AUTHORS, features=FEATURES)
    def take_back(self, writer: int, by: str, features: list[int]) -> None:
        has_some = any(author == by for feature in features for author, _ in self.held[feature])
        try:
            event = retract(self.saes[writer], by=by, features=features)
        except NotFound:
            assert not has_some
            return
        assert has_some
        self._took(event)

    @rule(writer=WRITERS, by=AUTHORS, said=st.lists(st.tuples(st.integers(0, N_FEATURES - 1), TEXTS), min_size=1))
    def bring_in(self, writer: int, by: str, said: list[tuple[int, str]]) -> None:
        path = self.folder / "in.jsonl"
        path.write_text("".join(json.dumps({"feature": f, "text": t}) + "\n" for f, t in said), encoding="utf-8")
        known = set(self.acknowledged)
        report = import_labels(self.saes[writer].atlas, path, by=by)
        new = [event for event in self.saes[writer].labels.events() if event.id not in known]
        assert len(new) == report.n_new
        for event in new:
            self._took(event)
        assert import_labels(self.saes[1 - writer].atlas, path, by=by).n_new == 0

    @rule(length=st.integers(1, 300))
    def kill_a_writer(self, length: int) -> None:
        line = json.dumps({"checksum": "0" * 64, "action": "label", "text": "x" * 300})
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as file:
            file.write(line[:length].encode())

    @rule(writer=WRITERS)
    def open_again(self, writer: int) -> None:
        store: Store = self.stores[writer]
        self.saes[writer] = sa.Atlas(store, self.saes[writer].atlas.commit).sae()

    @rule()
    def collect(self) -> None:
        gc(self.stores[0].inner, keep_commits=1, min_age_seconds=0)

    def _took(self, event: LabelEvent) -> None:
        assert event.id > max(self.acknowledged, default="")
        self.acknowledged[event.id] = event
        for feature in event.features:
            others = [one for one in self.held[feature] if one[0] != event.by]
            self.held[feature] = [*others, (event.by, event.said.text)] if event.action == "label" else others

    @invariant()
    def both_see_what_was_acknowledged_and_nothing_else(self) -> None:
        for sae in self.saes:
            assert {event.id: event for event in sae.labels.events()} == self.acknowledged
            for feature, held in self.held.items():
                current = sae.labels.of(feature).current
                assert [(label.by, label.said.text) for label in reversed(current)] == held

    @invariant()
    def atlas_is_whole(self) -> None:
        assert verify(self.stores[0].inner).ok


TestTwoWriters = TwoWriters.TestCase
TestTwoWriters.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
