"""Imports feature maps in JSON: 3-D positions, edges and labels of the features of one layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from saeatlas.errors import FormatError, InvalidInput, SourceError
from saeatlas.format.identity import SaeIdentity, merge_identities
from saeatlas.format.source_file import fingerprint
from saeatlas.importers._graph_json import Graph, read_graph
from saeatlas.pipeline.sae_importer import SaeImporter, SaePart, SaeSurvey
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FeatureMapImporter", "plugin"]

_DECODER_COSINE = "decoder-cosine"
_LABELS = "explanations/feature-map"


@dataclass(frozen=True, kw_only=True)
class FeatureMapImporter(SaeImporter):
    """A feature map in JSON: nodes with 3-D positions and labels, edges with weights; `.json` or `.json.gz`.

    Positions and weights are kept as they are written. Labels become the explanations 'feature-map'.

    Examples
    --------
    saeatlas import feature-map layer-25.json.gz --sae gemma-l25 --atlas a.atlas
    """

    version: ClassVar[int] = 1
    ignored: ClassVar[frozenset[str]] = frozenset({"source", "most_bytes"})

    edge_metric: str = ""
    """What the weights of edges are; empty to take what the file says and, for files that call decoder cosines
    'coactivation', to call them 'decoder-cosine'."""
    partial: bool = False
    """Whether the map leaves out features, so that its number of nodes is not the width of the SAE."""
    most_bytes: int = 512_000_000
    """Bytes of JSON above which a file is refused."""

    def survey(self, progress: Progress) -> SaeSurvey:
        """Read the whole file and check it."""
        graph, metric = self._graph(progress)
        identity = self._identity(graph)
        made_from = fingerprint(Path(self.source))
        memory = 200_000_000 + 12 * graph.n_bytes
        params = {"edge_metric": metric}
        parts = [SaePart("map", "feature-map", made_from, memory, params)]
        if graph.n_labels:
            parts.append(SaePart(_LABELS, "explanations", made_from, memory))
        return SaeSurvey(
            identity=identity,
            parts=tuple(parts),
            n_features=identity.width,
            notes=_notes(graph, metric),
        )

    def write(self, part: SaePart, directory: Path, progress: Progress) -> dict[str, Any]:
        """Write the map, or its labels as explanations."""
        graph, metric = self._graph(progress)
        if part.encoding == "explanations":
            return _write_labels(directory, graph)
        from saeatlas.format.feature_map import write_feature_map

        facts = {
            "edge_metric": metric,
            "claimed_types": graph.type_counts(),
            "metadata": graph.metadata,
        }
        return write_feature_map(directory, _nodes(graph), _edges(graph), facts)

    def _graph(self, progress: Progress) -> tuple[Graph, str]:
        if self.most_bytes < 1:
            raise InvalidInput(f"'most_bytes' must be 1 or more, found: {self.most_bytes}")
        with progress.task("Reading the map"):
            graph = read_graph(Path(self.source), self.most_bytes)
        metric = self.edge_metric or _stated_metric(graph) or _supposed_metric(graph)
        wrong = [weight for weight in graph.weights if not -1.0 <= weight <= 1.0] if metric == _DECODER_COSINE else []
        if wrong:
            raise SourceError(
                f"The weights of edges should be cosines of decoder vectors, and one of them is {wrong[0]}",
                hint="Say what they are with --edge-metric.",
            )
        return graph, metric

    def _identity(self, graph: Graph) -> SaeIdentity:
        """Return which SAE this is; files exported from an atlas say it in full."""
        stated = graph.metadata.get("sae")
        facts = {name: value for name, value in stated.items() if name != "name"} if isinstance(stated, dict) else {}
        # Features 0 to n - 1 without a gap are taken for all, where the file does not state the width.
        is_whole = max(graph.features) == len(graph.features) - 1 and not self.partial
        width = len(graph.features) if is_whole and not facts.get("width") else None
        known = SaeIdentity(name=self.sae, model=graph.model, layer=graph.layer, width=width)
        try:
            return merge_identities(known, SaeIdentity.from_json({**facts, "name": self.sae}))
        except FormatError as error:
            raise SourceError(f"The metadata states facts of the SAE that cannot be: {error.message}") from error


def _stated_metric(graph: Graph) -> str:
    stated = graph.metadata.get("edgeMetric", "")
    if not isinstance(stated, str):
        raise SourceError(f"The metadata must name the metric of edges as a text, found: {stated!r:.60}")
    return stated


def _supposed_metric(graph: Graph) -> str:
    """Return what the weights are where the file does not say.

    The schema has no word for similarity, so its producers write decoder cosines as 'coactivation'.
    """
    claimed = graph.type_counts()
    if set(claimed) <= {"coactivation"}:
        return _DECODER_COSINE
    return next(iter(claimed)) if len(claimed) == 1 else "mixed"


def _notes(graph: Graph, metric: str) -> tuple[str, ...]:
    notes = []
    counts = {
        "featureCount": ("nodes", len(graph.features)),
        "edgeCount": ("edges", len(graph.weights)),
        "labeledCount": ("labels", graph.n_labels + graph.n_blank),
    }
    for member, (what, found) in counts.items():
        stated = graph.metadata.get(member)
        if stated is not None and stated != found:
            notes.append(f"The metadata says {member} {stated!r:.40}, and the file has {found} {what}")
    if graph.n_blank:
        notes.append(f"{graph.n_blank} labels are blank and count as missing")
    if metric == _DECODER_COSINE and "coactivation" in graph.type_counts() and not graph.metadata.get("edgeMetric"):
        notes.append("The file calls its edges 'coactivation'; they are kept as what they are: cosines of decoder rows")
    return tuple(notes)


def _nodes(graph: Graph) -> pa.Table:
    import pyarrow as pa

    order = np.argsort(np.array(graph.features, np.int64), kind="stable").tolist()
    axes = {axis: [graph.positions[i][column] for i in order] for column, axis in enumerate("xyz")}
    features = pa.array([graph.features[i] for i in order], pa.uint32())
    categories = pa.array([graph.categories[i] for i in order], pa.string())
    return pa.table({"feature": features, **axes, "category": categories})


def _edges(graph: Graph) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {
            "source": pa.array(graph.sources, pa.uint32()),
            "target": pa.array(graph.targets, pa.uint32()),
            "weight": pa.array(graph.weights, pa.float64()),
            "claimed": pa.array(graph.types, pa.string()),
        }
    )


def _write_labels(directory: Path, graph: Graph) -> dict[str, Any]:
    from saeatlas.format.explanations import write_explanations

    labelled = [(feature, label) for feature, label in zip(graph.features, graph.labels, strict=True) if label]
    nobody = [None] * len(labelled)
    attributes = write_explanations(
        directory, [feature for feature, _ in labelled], [label for _, label in labelled], nobody, nobody
    )
    # Whose labels they are, in the words of the file: it need not be the SAE that was mapped.
    return attributes | {"source_id": graph.metadata.get("sourceId")}


plugin = FeatureMapImporter
