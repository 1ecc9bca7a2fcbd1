"""The whole demo source in one call: from the user's own Python to files that any importer could be given."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from saeatlas.demo import corpus, files, minilm, tokens
from saeatlas.demo.figures import Figures, Quality, measure
from saeatlas.demo.stages import Done, Facts, Stage, Stages
from saeatlas.demo.topk import Float32, encode
from saeatlas.demo.training import Recipe, train
from saeatlas.demo.weights import HOOK, LAYER, MODEL, SHA256, ModelFiles, find_weights
from saeatlas.demo.workers import Workers
from saeatlas.errors import InvalidInput
from saeatlas.format.identity import SaeIdentity
from saeatlas.progress import SILENT, Progress

__all__ = ["CORPUS", "SAE", "DemoSource", "make_source"]

SAE, CORPUS = "minilm-l2", "docstrings"
"""Suggested names in an atlas."""

_VERSIONS = {"corpus": 1, "hidden-states": 1, "sae": 1, "activations": 1}
# A stage's version is raised when the same inputs give other bytes.

_METADATA, _TOKENS, _STATES, _ACTIVATIONS = "metadata.npz", "tokens.parquet", "hidden_states.npy", "activations.h5"
_WEIGHTS, _CONFIGURATION, _FIGURES = "sae/sae_weights.safetensors", "sae/cfg.json", "figures.json"


@dataclass(frozen=True)
class DemoSource:
    """The files of a demo source, and what an importer should know about them."""

    directory: Path
    """Where they lie."""
    identity: SaeIdentity
    """The SAE's identity; every fact but the revision is known."""
    corpus: str
    """Suggested name of the corpus."""
    figures: Figures
    """Sizes, quality and times."""
    reused: tuple[str, ...]
    """Stages found done by an earlier run."""

    @property
    def activations(self) -> Path:
        """HDF5: `z_idx`, `z_val`, `rev_idx`, `review_ids_unique`."""
        return self.directory / _ACTIVATIONS

    @property
    def metadata(self) -> Path:
        """NPZ: `review_ids`, `texts`, `module`, `package`, `kind`, `name`, `length`."""
        return self.directory / _METADATA

    @property
    def tokens(self) -> Path:
        """Parquet: document, position, id, string, start, end."""
        return self.directory / _TOKENS

    @property
    def hidden_states(self) -> Path:
        """NPY, float32 [n_rows, 384]: what the SAE was trained on and encodes."""
        return self.directory / _STATES

    @property
    def sae(self) -> Path:
        """Directory in the layout of SAELens."""
        return (self.directory / _CONFIGURATION).parent


def make_source(
    directory: Path,
    *,
    n_tokens: int = 100_000,
    recipe: Recipe | None = None,
    progress: Progress = SILENT,
    weights: Path | None = None,
) -> DemoSource:
    """Make the demo's source in `directory`, or what is missing of it.

    Parameters
    ----------
    directory
        Made if need be. About 190 MB at 100,000 tokens, most of it hidden states.
    n_tokens
        Tokens to take; documents are whole, so it can be a few more.
    recipe
        Size and training of the SAE; the defaults are those of `Recipe`.
    progress
        Told about every stage that runs.
    weights
        Directory of the language model's files; without it, `find_weights` looks for them.

    Raises
    ------
    MissingExtra
        The model's files, or a package that reads them, are not installed.
    SourceError
        The model's files are other ones than expected, or there are no docstrings.
    Conflict
        Another run is at work in the directory.
    StorageError
        The disk is full or cannot be written to.
    """
    if n_tokens < 1:
        raise InvalidInput(f"The demo needs 1 token or more, asked for: {n_tokens}")
    with Stages.open(directory) as stages, Workers() as workers:
        return _Making(stages, n_tokens, recipe or Recipe(), progress, weights, workers).source()


@dataclass
class _Making:
    """One run: the stages in their order, each keyed by what it reads."""

    stages: Stages
    n_tokens: int
    recipe: Recipe
    progress: Progress
    weights: Path | None
    workers: Workers

    def source(self) -> DemoSource:
        text = self._corpus()
        hidden = self._hidden_states(text)
        sae = self._sae(text, hidden)
        activations = self._activations(text, hidden, sae)
        done = {"corpus": text, "hidden-states": hidden, "sae": sae, "activations": activations}
        figures = self._figures(done)
        path = self.stages.directory / _FIGURES
        temporary = path.with_suffix(".partial")
        temporary.write_text(json.dumps(asdict(figures), indent=2) + "\n")
        temporary.replace(path)
        reused = tuple(name for name, stage in done.items() if stage.is_reused)
        return DemoSource(self.stages.directory, self._identity(figures), CORPUS, figures, reused)

    def _corpus(self) -> Done:
        library = corpus.standard_library()
        sources = corpus.library_files(library)
        inputs = {
            "version": _VERSIONS["corpus"],
            "python": platform.python_version(),
            "library": corpus.digest_of_files(library, sources),
            "tokenizer": SHA256["tokenizer.json"],
            "n_tokens": self.n_tokens,
        }

        def build(partial: Path) -> Facts:
            tokenizer = tokens.load_tokenizer(self._model_files.tokenizer)  # First: it may be missing.
            docstrings = corpus.in_hash_order(corpus.read_docstrings(library, sources, self.progress))
            documents = tokens.sample(docstrings, tokenizer, self.n_tokens, self.progress)
            files.write_metadata(partial / _METADATA, documents)
            files.write_tokens(partial / _TOKENS, documents)
            n_cut = sum(document.is_cut for document in documents)
            return {"python": inputs["python"], "digest": tokens.sample_digest(documents), "n_cut": n_cut}

        return self.stages.run(Stage("corpus", inputs, (_METADATA, _TOKENS)), build)

    def _hidden_states(self, text: Done) -> Done:
        inputs = {
            "version": _VERSIONS["hidden-states"],
            "tokens": text.digests[_TOKENS],
            "model": SHA256["model.safetensors"],
            "layer": LAYER,
        }

        def build(partial: Path) -> Facts:
            model = minilm.MiniLM.from_file(self._model_files.model, LAYER + 1)
            states = np.empty((len(self._rows.tokens), minilm.WIDTH), np.float32)
            minilm.capture(model, self._rows.texts(), states, self.workers, self.progress)
            np.save(partial / _STATES, states)
            return {}

        return self.stages.run(Stage("hidden-states", inputs, (_STATES,)), build)

    def _sae(self, text: Done, hidden: Done) -> Done:
        inputs = {
            "version": _VERSIONS["sae"],
            "states": hidden.digests[_STATES],
            "corpus": text.facts["digest"],
            "recipe": asdict(self.recipe),
        }

        def build(partial: Path) -> Facts:
            learned_from = self._states[: self._rows.first_held_out_row]
            sae = train(learned_from, self.recipe, self.workers, self.progress)
            metadata = {
                "model_name": MODEL,
                "hook_name": HOOK,
                "hook_head_index": None,
                "context_size": tokens.CONTEXT_WINDOW,
                "prepend_bos": True,
                "dataset_path": f"docstrings of the standard library of Python {text.facts['python']}",
                "made_with": "saeatlas demo; an SAE of example size",
                "corpus_sha256": text.facts["digest"],
                "model_sha256": SHA256["model.safetensors"],
                "n_training_tokens": len(learned_from),
                "training": asdict(self.recipe),
            }
            files.write_sae((partial / _WEIGHTS).parent, sae, metadata)
            return {}

        return self.stages.run(Stage("sae", inputs, (_WEIGHTS, _CONFIGURATION)), build)

    def _activations(self, text: Done, hidden: Done, sae: Done) -> Done:
        inputs = {
            "version": _VERSIONS["activations"],
            "tokens": text.digests[_TOKENS],
            "states": hidden.digests[_STATES],
            "sae": sae.digests[_WEIGHTS],
        }

        def build(partial: Path) -> Facts:
            rows = self._rows
            trained = files.read_sae((self.stages.directory / _WEIGHTS).parent)
            codes = encode(trained, self._states, self.workers, self.progress)
            files.write_activations(partial / _ACTIVATIONS, rows, codes, self.progress)
            return {
                "n_documents": len(rows.documents),
                "n_held_out_documents": len(rows.documents) - rows.first_held_out_document,
                "n_tokens": len(rows.tokens),
                "quality": asdict(measure(trained, self._states, codes, rows.first_held_out_row)),
            }

        return self.stages.run(Stage("activations", inputs, (_ACTIVATIONS,)), build)

    def _figures(self, done: dict[str, Done]) -> Figures:
        found = done["activations"].facts
        return Figures(
            quality=Quality(**found["quality"]),
            n_tokens=found["n_tokens"],
            n_documents=found["n_documents"],
            n_held_out_documents=found["n_held_out_documents"],
            n_cut_documents=done["corpus"].facts["n_cut"],
            n_features=self.recipe.n_features,
            k=self.recipe.k,
            epochs=self.recipe.epochs,
            seed=self.recipe.seed,
            python=done["corpus"].facts["python"],
            corpus_sha256=done["corpus"].facts["digest"],
            model_sha256=SHA256["model.safetensors"],
            sae_sha256=done["sae"].digests[_WEIGHTS],
            seconds={name: stage.seconds for name, stage in done.items()},
        )

    def _identity(self, figures: Figures) -> SaeIdentity:
        return SaeIdentity(
            name=SAE,
            model=MODEL,
            hook=HOOK,
            layer=LAYER,
            width=figures.n_features,
            architecture="topk",
            k=figures.k,
            l0=figures.quality.l0,
            weights_digest=figures.sae_sha256,
            input_normalization="none",
            context_window=tokens.CONTEXT_WINDOW,
            bos=True,
            attention="bidirectional",
        )

    # Read when a stage needs them: a second run reads none of them.

    @cached_property
    def _model_files(self) -> ModelFiles:
        return find_weights(self.weights)

    @cached_property
    def _rows(self) -> files.Rows:
        return files.read_tokens(self.stages.directory / _TOKENS)

    @cached_property
    def _states(self) -> Float32:
        states: Float32 = np.load(self.stages.directory / _STATES)
        return states
