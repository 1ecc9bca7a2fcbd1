"""`examples/gemma-scope/atlas.toml`, from a hub and label files on this machine to maps.

The hub has three of the 26 layers, each with several SAEs of 120 features. What is run is the text of the example, with
the two lines `layers = "0-25"` made shorter, and one line more: `bulk_url`, the address of the label files. The hub and
the folders of downloads are what the environment says.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saeatlas.atlas.atlas import Atlas, create, open_atlas
from saeatlas.cli.main import main
from saeatlas.progress import SILENT
from saeatlas.project.build import build_project
from saeatlas.project.load import load_project
from saeatlas.settings import Settings
from saeatlas.testing.local_hub import HubRepository, local_hub
from saeatlas.testing.local_server import LocalServer, Reply, Request

EXAMPLE = Path(__file__).parents[2] / "examples" / "gemma-scope" / "atlas.toml"
REPOSITORY = "google/gemma-scope-2b-pt-res"
L0S = {0: (105, 13, 226, 25, 46), 3: (14, 142, 28, 315, 59), 25: (116, 16, 28, 285, 55)}
"""SAEs of each layer, as on the hub."""
CANONICAL = {0: 105, 3: 59, 25: 116}
N, D, N_GROUPS, PER_BATCH = 120, 16, 8, 64
SUBJECTS = ("dogs", "harbours", "refunds", "verbs", "numbers", "cities", "weather", "brackets")
LAYERS = tuple(L0S)

Record = dict[str, Any]
Repositories = dict[str, HubRepository]


def groups(layer: int, l0: int) -> np.ndarray:
    """The group of each feature of one SAE; those of two SAEs have nothing to do with each other."""
    return np.random.default_rng([layer, l0]).integers(0, N_GROUPS, N)


def params(layer: int, l0: int) -> bytes:
    """A `params.npz` in which the decoder rows of a group point alike."""
    random = np.random.default_rng([layer, l0, 1])
    centres = random.normal(size=(N_GROUPS, D))
    decoder = centres[groups(layer, l0)] + 0.4 * random.normal(size=(N, D))
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    arrays = {"W_enc": decoder.T, "W_dec": decoder, "b_enc": np.zeros(N), "b_dec": np.zeros(D)}
    file = io.BytesIO()
    np.savez(
        file,
        **{name: np.array(a, np.float32, order="C") for name, a in {**arrays, "threshold": np.full(N, 0.1)}.items()},
    )
    return file.getvalue()


def place(layer: int, l0: int) -> str:
    return f"layer_{layer}/width_16k/average_l0_{l0}/params.npz"


def text_of(layer: int, feature: int) -> str:
    return f" references to {SUBJECTS[groups(layer, CANONICAL[layer])[feature]]}, kind {feature % 7}"


def has_label(feature: int) -> bool:
    return feature % 10 != 9


def batches(layer: int) -> dict[str, bytes]:
    """Label files of one layer by address; features without a label have no line, ids are numbers or texts."""
    found = {}
    for number, first in enumerate(range(0, N, PER_BATCH)):
        lines = []
        for feature in range(first, min(N, first + PER_BATCH)):
            record = {
                "modelId": "gemma-2-2b",
                "layer": f"{layer}-gemmascope-res-16k",
                "index": str(feature) if feature % 2 else feature,
                "description": text_of(layer, feature),
                "explanationModelName": "gpt-4o-mini",
                "typeName": "oai_token-act-pair",
            }
            lines += [json.dumps(record) + "\n"] if has_label(feature) else []
        address = f"/v1/gemma-2-2b/{layer}-gemmascope-res-16k/explanations/batch-{number}.jsonl.gz"
        found[address] = gzip.compress("".join(lines).encode(), mtime=0)
    return found


def repository(*layers: int) -> HubRepository:
    files = {place(layer, l0): params(layer, l0) for layer in layers for l0 in L0S[layer]}
    return HubRepository({**files, "README.md": b"read me"})


@dataclass
class Home:
    """A folder with the example in it, and the two servers that it asks."""

    folder: Path
    hub: LocalServer
    repositories: Repositories
    bulk: LocalServer
    outcomes: list[Record] = field(default_factory=list)
    """Of the last build."""
    said: str = ""
    """What the last command wrote to standard error."""

    @property
    def toml(self) -> Path:
        return self.folder / "atlas.toml"

    @property
    def atlas(self) -> Atlas:
        return open_atlas(self.folder / "gemma-2-2b.atlas")

    def edit(self, old: str, new: str, times: int = 1) -> None:
        text = self.toml.read_text()
        assert text.count(old) == times
        self.toml.write_text(text.replace(old, new))

    def run(self, *arguments: object) -> tuple[int, Any]:
        """Run one command in this process; exit code and what it wrote as JSON."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main([*map(str, arguments), "--json"])
        self.said = err.getvalue()
        return code, json.loads(out.getvalue() or "null")

    def build(self) -> int:
        code, self.outcomes = self.run("build", "--project", self.toml)
        return code

    def plan(self) -> dict[str, tuple[str, str]]:
        _, found = self.run("build", "--plan", "--project", self.toml)
        return {step["output"]: (step["action"], step["reason"]) for step in found["steps"]}

    def named(self, action: str) -> set[str]:
        return {outcome["name"] for outcome in self.outcomes if outcome["action"] == action}

    def downloads(self) -> list[str]:
        """Files that were asked for so far."""
        files = [request.path.partition("/resolve/")[2].partition("/")[2] for request in self.hub.asked("/resolve/")]
        return files + [request.path.rpartition("/v1/")[2] for request in self.bulk.asked("/batch-")]

    def map(self, layer: int) -> Record:
        record: Record = json.loads(gzip.decompress((self.folder / f"maps/layer-{layer:02d}.json.gz").read_bytes()))
        return record

    def manifest(self) -> Record:
        record: Record = json.loads((self.folder / "maps/manifest.json").read_text())
        return record


def write_project(folder: Path, layers: tuple[int, ...], bulk: str) -> None:
    """Copy the example, with other layers and with the address of the label files."""
    text = EXAMPLE.read_text()
    assert text.count('layers = "0-25"\n') == 2
    text = text.replace('layers = "0-25"\n', f'layers = "{",".join(map(str, layers))}"\n')
    assert text.count('importer = "neuronpedia-labels"\n') == 1
    labels = 'importer = "neuronpedia-labels"\n'
    folder.mkdir()
    (folder / "atlas.toml").write_text(text.replace(labels, f'{labels}bulk_url = "{bulk}/v1"\n'))


def homes(tmp: Path, patch: pytest.MonkeyPatch, stack: ExitStack) -> Callable[..., Home]:
    """Return what makes a home, with servers and folders of downloads of its own."""
    patch.setenv("SAEATLAS_JOBS", "1")
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN", "SAEATLAS_ATLAS", "SAEATLAS_MEMORY"):
        patch.delenv(name, raising=False)
    files = {address: data for layer in LAYERS for address, data in batches(layer).items()}

    def answer(request: Request) -> Reply:
        return Reply(200, files[request.path]) if request.path in files else Reply(404)

    def make(name: str, *layers: int) -> Home:
        repositories = {REPOSITORY: repository(*LAYERS)}
        hub = stack.enter_context(local_hub(repositories))
        bulk = stack.enter_context(LocalServer(answer))
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_HOME", str(tmp / f"{name}-hub"))
        patch.setenv("SAEATLAS_CACHE", str(tmp / f"{name}-cache"))
        write_project(tmp / name, layers or LAYERS, bulk.url)
        return Home(tmp / name, hub, repositories, bulk)

    return make


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Home]]:
    with ExitStack() as stack:
        yield homes(tmp_path, monkeypatch, stack)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, dict[str, tuple[str, str]], list[str]]]:
    """A home that was planned and built once, the plan, and what had been downloaded by then."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        made = homes(tmp_path_factory.mktemp("gemma"), patch, stack)("first")
        plan = made.plan()
        planned = made.downloads()
        assert made.build() == 0, made.said
        yield made, plan, planned


@pytest.fixture
def built(first: tuple[Home, Any, Any]) -> Home:
    return first[0]


@pytest.fixture
def again(built: Home, tmp_path: Path) -> Home:
    """A copy of the built home, to be built again; the servers are the same."""
    shutil.copytree(built.folder, tmp_path / "again")
    return replace(built, folder=tmp_path / "again")


def unnamed(record: Mapping[str, Any]) -> set[int]:
    return {node["featureId"]["index"] for node in record["nodes"] if "label" not in node}


def test_plan_says_what_is_to_be_downloaded_and_downloads_nothing(
    first: tuple[Home, dict[str, tuple[str, str]], list[str]],
) -> None:
    _, plan, downloads = first
    assert downloads == []
    size = len(params(3, 59))
    assert plan["sae/gemma-2-2b-l3/imported/weights"] == ("run", f"to be downloaded: {size:,} bytes")
    assert plan["sae/gemma-2-2b-l3/imported/explanations/neuronpedia"] == ("run", "to be downloaded")
    for layer in LAYERS:
        for analysis in ("neighbors", "umap", "coherence"):
            assert plan[f"sae/gemma-2-2b-l{layer}/{analysis}"][0] == "run"


def test_only_canonical_saes_and_all_labels_are_downloaded_once(built: Home) -> None:
    files = [path for path in built.downloads() if path.endswith("params.npz")]
    assert sorted(files) == sorted(place(layer, l0) for layer, l0 in CANONICAL.items())
    labels = [request.path for request in built.bulk.asked("/batch-")]
    assert len(labels) == len(set(labels))
    assert {address for layer in LAYERS for address in batches(layer)} <= set(labels)


def test_everything_is_made(built: Home) -> None:
    names = [f"gemma-2-2b-l{layer}" for layer in LAYERS]
    imports = {f"'{name}' by {importer}" for name in names for importer in ("sae-weights", "neuronpedia-labels")}
    analyses = {f"{analysis} of '{name}'" for name in names for analysis in ("neighbors", "umap", "coherence")}
    assert built.named("made") == imports | analyses | {"feature-map to 'maps'"}
    assert len(built.outcomes) == len(built.named("made"))


def test_labels_join_the_weights_of_the_same_sae(built: Home) -> None:
    for layer, l0 in CANONICAL.items():
        sae = built.atlas.sae(f"gemma-2-2b-l{layer}")
        identity = sae.identity
        assert (identity.model, identity.layer, identity.l0, identity.width) == ("gemma-2-2b", layer, l0, N)
        assert identity.hook == f"blocks.{layer}.hook_resid_post"
        assert identity.revision == built.repositories[REPOSITORY].commit
        assert sae.weights is not None
        texts = dict(sae.explanations.select("feature", "text").collect().iter_rows())
        assert texts == {feature: text_of(layer, feature) for feature in range(N) if has_label(feature)}


def test_maps_have_every_feature_its_label_and_the_true_sae(built: Home) -> None:
    for layer, l0 in CANONICAL.items():
        record = built.map(layer)
        metadata = record["metadata"]
        assert [node["id"] for node in record["nodes"]] == [f"gemma-2-2b:{layer}:{feature}" for feature in range(N)]
        assert unnamed(record) == {feature for feature in range(N) if not has_label(feature)}
        assert record["nodes"][4]["label"] == text_of(layer, 4).strip()
        counts = (metadata["featureCount"], metadata["labeledCount"], metadata["edgeCount"])
        assert counts == (N, N - N // 10, len(record["edges"]))
        sae = metadata["sae"]
        assert (metadata["modelId"], metadata["layers"], sae["l0"], sae["width"]) == ("gemma-2-2b", [layer], l0, N)
        assert len(sae["weights_digest"]) == 64


def test_edges_are_the_cosines_of_decoder_rows_and_say_so(built: Home) -> None:
    for layer, l0 in CANONICAL.items():
        record = built.map(layer)
        with np.load(io.BytesIO(params(layer, l0))) as arrays:
            decoder = arrays["W_dec"].astype(np.float64)
        rows = decoder / np.linalg.norm(decoder, axis=1, keepdims=True)
        cosine = rows @ rows.T
        np.fill_diagonal(cosine, -2)
        is_near = np.argsort(np.argsort(-cosine, axis=1), axis=1) < 25
        wanted = (cosine >= 0.25) & (is_near | is_near.T)
        ends = [tuple(int(edge[end].rpartition(":")[2]) for end in ("source", "target")) for edge in record["edges"]]
        assert {tuple(sorted(pair)) for pair in ends} == {(a, b) for a, b in np.argwhere(wanted).tolist() if a < b}
        assert len(ends) == len(set(ends))
        for (source, target), edge in zip(ends, record["edges"], strict=True):
            assert edge["weight"] == pytest.approx(cosine[source, target], abs=1e-4)
            assert edge["type"] == "similarity"
        assert record["metadata"]["edgeMetric"] == "decoder-cosine"


def test_places_are_centred_within_fifty_and_of_the_parameters_of_the_file(built: Home) -> None:
    for layer in LAYERS:
        record = built.map(layer)
        positions = np.array([node["position"] for node in record["nodes"]])
        assert np.abs(positions).max() == pytest.approx(50)
        assert np.allclose(positions.mean(axis=0), 0, atol=1e-3)
        stated = record["metadata"]["umapParams"]
        wanted = {"n_neighbors": 40, "min_dist": 0.02, "metric": "cosine", "n_components": 3, "spread": 1.0}
        assert stated == {**wanted, "repulsion_strength": 1.5, "random_state": 42}


def test_manifest_names_every_layer(built: Home) -> None:
    manifest = built.manifest()
    assert manifest["modelId"] == "gemma-2-2b"
    assert [layer["layer"] for layer in manifest["layers"]] == list(LAYERS)
    for layer in manifest["layers"]:
        assert (built.folder / "maps" / layer["filePath"]).stat().st_size == layer["fileSize"]
        assert layer["sae"]["l0"] == CANONICAL[layer["layer"]]
        assert layer["sourceId"] == f"{layer['layer']}-gemmascope-res-16k"


def test_viewers_learn_where_the_labels_come_from(built: Home) -> None:
    manifest = built.manifest()
    assert (manifest["neuronpediaModelId"], manifest["neuronpediaSourceSet"]) == ("gemma-2-2b", "gemmascope-res-16k")
    assert built.map(3)["metadata"]["sourceId"] == "3-gemmascope-res-16k"


def test_doctor_finds_that_labels_and_weights_belong_together(built: Home) -> None:
    code, found = built.run("doctor", "--strict", "--atlas", built.folder / "gemma-2-2b.atlas")
    coherence = {one["sae"]: one["verdict"] for one in found["findings"] if one["check"] == "coherence"}
    assert coherence == {f"gemma-2-2b-l{layer}": "ok" for layer in LAYERS}
    assert [one for one in found["findings"] if one["verdict"] not in {"ok", "not-applicable"}] == []
    assert code == 0


def test_second_build_downloads_nothing_and_makes_nothing_but_the_same_files(again: Home) -> None:
    before, commit = again.downloads(), again.atlas.commit.number
    maps = {layer: again.map(layer) for layer in LAYERS}
    assert again.build() == 0
    assert again.downloads() == before
    assert again.named("made") == {"feature-map to 'maps'"}
    assert again.atlas.commit.number == commit
    assert {layer: again.map(layer) for layer in LAYERS} == maps


def test_new_commit_with_the_same_weights_is_no_other_sae(again: Home) -> None:
    old = again.repositories[REPOSITORY]
    again.repositories[REPOSITORY] = HubRepository({**old.files, "README.md": b"read me again"})
    before = again.downloads()
    try:
        assert again.build() == 0, again.said
    finally:
        again.repositories[REPOSITORY] = old
    assert again.downloads() == before
    assert again.named("made") == {"feature-map to 'maps'"}
    assert again.atlas.sae("gemma-2-2b-l3").identity.revision == old.commit


def test_one_changed_parameter_makes_the_maps_anew_and_nothing_else(again: Home) -> None:
    before, edges = again.downloads(), again.map(25)["edges"]
    again.edit("min_dist = 0.02", "min_dist = 0.3")
    plan = again.plan()
    assert {name for name, (action, _) in plan.items() if action != "reuse"} == {
        f"sae/gemma-2-2b-l{layer}/umap" for layer in LAYERS
    }
    assert plan["sae/gemma-2-2b-l25/umap"] == ("run", "parameter 'min_dist' changed: 0.02 -> 0.3")
    places = again.map(25)["nodes"]
    assert again.build() == 0
    umaps = {f"umap of 'gemma-2-2b-l{layer}'" for layer in LAYERS}
    assert again.named("made") == {*umaps, "feature-map to 'maps'"}
    assert again.downloads() == before
    assert again.map(25)["metadata"]["umapParams"]["min_dist"] == 0.3
    assert again.map(25)["nodes"] != places
    assert again.map(25)["edges"] == edges


def test_missing_layer_is_reported_the_others_go_on_and_it_is_taken_up_later(home: Callable[..., Home]) -> None:
    made = home("missing", 0, 25)
    made.repositories[REPOSITORY] = repository(0, 3)
    assert made.build() != 0
    failed = {outcome["name"]: outcome for outcome in made.outcomes if outcome["action"] == "failed"}
    assert set(failed) == {"'gemma-2-2b-l25' by sae-weights"}
    assert "no layer 25" in failed["'gemma-2-2b-l25' by sae-weights"]["reason"]
    assert "gemma-2-2b-l25" in made.said
    left_out = made.named("left out")
    assert {"umap of 'gemma-2-2b-l25'", "'gemma-2-2b-l25' by feature-map to 'maps'"} <= left_out
    assert not any("gemma-2-2b-l0'" in name for name in left_out)
    assert [layer["layer"] for layer in made.manifest()["layers"]] == [0]

    made.repositories[REPOSITORY] = repository(0, 3, 25)
    before = made.downloads()
    assert made.build() == 0, made.said
    assert Counter(made.downloads()) - Counter(before) == {place(25, 116): 1}
    assert "umap of 'gemma-2-2b-l0'" in made.named("reused")
    assert [layer["layer"] for layer in made.manifest()["layers"]] == [0, 25]


def test_layer_without_labels_gets_its_map_without_labels(home: Callable[..., Home]) -> None:
    made = home("unlabelled", 3)
    made.bulk.answer = lambda request: Reply(404)
    assert made.build() != 0
    assert made.named("failed") == {"'gemma-2-2b-l3' by neuronpedia-labels"}
    assert made.named("left out") == {"coherence of 'gemma-2-2b-l3'"}
    assert made.map(3)["metadata"]["labeledCount"] == 0
    assert made.map(3)["metadata"]["sourceId"] == "3-gemma-2-2b-l3"
    assert made.manifest()["neuronpediaSourceSet"] is None


def test_labels_of_another_l0_are_refused_by_name_of_both(home: Callable[..., Home]) -> None:
    made = home("other", 3)
    made.edit('l0 = "canonical"', 'l0 = "28"')
    made.edit("[analyses.umap]", '[analyses.umap]\nsaes = ["none"]')
    assert made.build() != 0
    (refused,) = [outcome for outcome in made.outcomes if outcome["action"] == "failed" and outcome["what"] == "import"]
    assert refused["name"] == "'gemma-2-2b-l3' by neuronpedia-labels"
    assert refused["kind"] == "identity-mismatch"
    assert "28" in refused["reason"] and "59" in refused["reason"]
    assert "coherence of 'gemma-2-2b-l3'" in made.named("left out")
    assert made.atlas.sae("gemma-2-2b-l3").explanations.collect().is_empty()


def test_doctor_finds_weights_that_lie_in_the_folder_of_another_sae(home: Callable[..., Home]) -> None:
    made = home("slip", 0, 3)
    files = made.repositories[REPOSITORY].files
    made.repositories[REPOSITORY] = HubRepository({**files, place(3, 59): files[place(3, 14)]})
    project = load_project(made.toml)
    outcomes = build_project(
        create(project.atlas).store, replace(project, analyses=(), exports=()), Settings(), SILENT, lambda _: None
    )
    assert {outcome.action for outcome in outcomes} == {"made"}
    code, found = made.run("doctor", "--strict", "--atlas", project.atlas)
    coherence = {one["sae"]: one for one in found["findings"] if one["check"] == "coherence"}
    assert coherence["gemma-2-2b-l0"]["verdict"] == "ok"
    assert coherence["gemma-2-2b-l3"]["verdict"] in {"suspect", "wrong"}
    assert coherence["gemma-2-2b-l0"]["z"] > 8 > coherence["gemma-2-2b-l3"]["z"]
    assert code != 0


def test_hub_that_is_down_stops_the_weights_only(again: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saeatlas.importers._hub_files._TRIES", 1)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    again.edit("threshold = 0.25", "threshold = 0.3")
    assert again.build() != 0
    (failed,) = [outcome for outcome in again.outcomes if outcome["action"] == "failed"]
    assert (failed["name"], failed["kind"]) == ("'gemma-2-2b-l{layer}' by sae-weights", "network-error")
    assert {f"neighbors of 'gemma-2-2b-l{layer}'" for layer in LAYERS} <= again.named("made")
    assert min(edge["weight"] for edge in again.map(0)["edges"]) >= 0.3


KILLED = """
import os, signal, sys
from pathlib import Path
from saeatlas.atlas.atlas import create
from saeatlas.progress import SILENT
from saeatlas.project.build import build_project
from saeatlas.project.load import load_project
from saeatlas.settings import Settings

def tell(outcome):
    if outcome.name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

project = load_project(Path(sys.argv[1]))
build_project(create(project.atlas).store, project, Settings(), SILENT, tell)
"""
"""Builds a project, and is killed where it tells of one outcome."""


@pytest.mark.parametrize("at", ["'gemma-2-2b-l0' by sae-weights", "coherence of 'gemma-2-2b-l0'"])
def test_build_that_was_killed_goes_on_with_what_is_missing(home: Callable[..., Home], at: str) -> None:
    made = home("killed", 0, 3)
    program = [sys.executable, "-c", KILLED, str(made.toml), at]
    done = subprocess.run(program, env=dict(os.environ), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    before = made.downloads()
    assert before.count(place(0, 105)) == 1
    assert made.build() == 0, made.said
    assert made.downloads().count(place(0, 105)) == 1
    assert made.downloads().count(place(3, 59)) == 1
    assert "'gemma-2-2b-l0' by sae-weights" in made.named("reused")
    assert ("umap of 'gemma-2-2b-l0'" in made.named("reused")) == at.startswith("coherence")
    assert [layer["layer"] for layer in made.manifest()["layers"]] == [0, 3]
