"""Imports the weights of an SAE: a directory of SAELens, or a file of Gemma Scope, here or on the Hugging Face hub."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.format.canonical import digest_bytes
from saeatlas.format.identity import SaeIdentity
from saeatlas.format.tensor_files import open_tensors
from saeatlas.format.weights import write_weights
from saeatlas.importers._gemma_scope import describe_gemma_scope, is_gemma_scope
from saeatlas.importers._hub import Resolved, available_layers, is_on_hub, locate_source, missing_bytes, resolve_source
from saeatlas.importers._saelens import WEIGHTS_NAME, describe_saelens
from saeatlas.pipeline.layers import parse_layers
from saeatlas.pipeline.sae_importer import Pending, SaeImporter, SaePart, SaeSurvey
from saeatlas.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from saeatlas.format.tensor import Tensor
    from saeatlas.importers._checkpoint import Checkpoint

__all__ = ["SaeWeights", "plugin"]

_NAMES: Final = (WEIGHTS_NAME, "params.npz", "params.safetensors")
_OTHERS: Final = {
    "sae.safetensors": "a checkpoint of sparsify",
    "ae.pt": "a checkpoint of dictionary_learning, which is a pickle",
    "final.safetensors": "a checkpoint of Llama Scope",
}
_LAYER: Final = "{layer}"
_PROGRAM_BYTES: Final = 300_000_000
_BLOCKS_BYTES: Final = 400_000_000
"""What reading, folding and writing a block of 64 MB takes at most."""


@dataclass(frozen=True, kw_only=True)
class SaeWeights(SaeImporter):
    """Weights of an SAE, of every architecture of SAELens, or of Gemma Scope.

    The source is a directory of SAELens (`cfg.json`, `sae_weights.safetensors`), a `params.npz` or
    `params.safetensors` of Gemma Scope or a folder above it, or `hf://owner/repo[/path][@revision]`. It joins
    activations of the same SAE that are there already, if what is known of both agrees.

    Examples
    --------
    saeatlas import sae-weights hf://google/gemma-scope-2b-pt-res --layers 0-5 --l0 canonical --sae gemma-{layer}
    """

    version: ClassVar[int] = 1

    layers: str = ""
    """Layers to import, such as 0-5,10; each becomes an SAE, and '{layer}' in names and paths its number."""
    width: str = "16k"
    """Which width, where a source in the layout of Gemma Scope has several."""
    l0: str = ""
    """Which L0, where a layer has several SAEs: a number, or 'canonical' for the one that other tools use."""
    scaling_factor: float | None = None
    """What hidden states are multiplied with first, for SAEs with 'expected_average_only_in' that do not say it."""
    model: str | None = None
    """Model that the SAE was trained on, where the source does not say it."""
    hook: str | None = None
    """Place in the model, where the source does not say it."""
    layer: int | None = None
    """Layer, 0-based, where the source does not say it."""
    revision: str | None = None
    """Revision or release of the weights; of a source on the hub, its commit is taken."""

    def expand(self) -> tuple[SaeImporter, ...]:
        """Return an importer for each layer; all of a source on the hub come from one commit."""
        if not self.layers:
            return (self,)
        layers = parse_layers(self.layers)
        if len(layers) > 1 and _LAYER not in self.sae:
            raise InvalidInput(
                f"{len(layers)} layers would all be named '{self.sae}'", hint=f"Write --sae {self.sae}-{_LAYER}"
            )
        source = self.source
        if is_on_hub(source) and len(layers) > 1:
            source = available_layers(source, width=self.width).source
        return tuple(
            replace(self, source=source, layers=str(layer), sae=self.sae.replace(_LAYER, str(layer)))
            for layer in layers
        )

    def pending(self) -> Pending | None:
        """Return what is on the hub and not in its cache; only lists of files are asked for."""
        if not is_on_hub(self.source):
            return None
        size = missing_bytes(locate_source(self.source, layer=self._layer(), width=self.width, l0=self.l0))
        return Pending(("weights",), size) if size else None

    def survey(self, progress: Progress) -> SaeSurvey:
        """Find the file, check its headers against its configuration, and read what it says about the SAE."""
        resolved = self._resolve(progress)
        checkpoint = self._describe(resolved)
        weights, *beside = checkpoint.files
        digest = _sha256(weights, progress)
        digests = [digest, *sorted(f"{path.name} {_sha256(path, progress)}" for path in beside)]
        identity, notes = self._identity({**checkpoint.facts, "weights_digest": digest}, resolved)
        part = SaePart(
            name="weights",
            encoding="weights",
            fingerprint=digest_bytes("\n".join(digests).encode()),
            memory=_memory(checkpoint),
            params={"config": checkpoint.config},
        )
        return SaeSurvey(identity, (part,), checkpoint.n_features, (*resolved.notes, *checkpoint.notes, *notes))

    def write(self, part: SaePart, directory: Path, progress: Progress) -> dict[str, Any]:
        """Write the weights, block by block."""
        del part
        resolved = self._resolve(progress)
        checkpoint = self._describe(resolved)
        with open_tensors(checkpoint.files[0], "weights") as tensors, progress.task("weights", unit="arrays") as task:
            arrays = checkpoint.arrays(tensors)
            attributes = write_weights(directory, arrays, checkpoint.config)
            task.advance(len(arrays))
        return attributes

    def _resolve(self, progress: Progress) -> Resolved:
        return resolve_source(self.source, layer=self._layer(), width=self.width, l0=self.l0, progress=progress)

    def _layer(self) -> int | None:
        """Return the one layer that was said."""
        layers = parse_layers(self.layers) if self.layers else (None,)
        if len(layers) > 1:
            raise InvalidInput(
                f"One SAE is imported at a time, and '{self.sae}' stands for several",
                hint="Say which layers with --layers; in Python, import each of 'expand()'.",
            )
        return layers[0]

    def _describe(self, resolved: Resolved) -> Checkpoint:
        weights = _weights_file(resolved.path)
        with open_tensors(weights, "weights") as tensors:
            return self._checkpoint(weights, tensors, resolved.url)

    def _checkpoint(self, weights: Path, tensors: Mapping[str, Tensor], url: str) -> Checkpoint:
        is_saelens = weights.name == WEIGHTS_NAME or weights.with_name("cfg.json").exists()
        if is_saelens or not (is_gemma_scope(tensors) or weights.name in _NAMES):
            return describe_saelens(weights, tensors, self.scaling_factor)
        if self.scaling_factor is not None:
            raise InvalidInput("The SAEs of Gemma Scope take hidden states as they are", hint="Leave the factor out.")
        return describe_gemma_scope(weights, tensors, url)

    def _identity(self, facts: Mapping[str, Any], resolved: Resolved) -> tuple[SaeIdentity, tuple[str, ...]]:
        """Return the facts, of which those that the user states count, and notes on what they overrule."""
        said = {"model": self.model, "hook": self.hook, "layer": self.layer}
        said["revision"] = self.revision or resolved.revision or None
        stated = {name: value for name, value in said.items() if value is not None}
        overruled = [name for name in stated if facts.get(name) not in {None, stated[name]}]
        notes = (f"The source says {name} '{facts[name]}'; '{stated[name]}' was said, and counts" for name in overruled)
        return SaeIdentity(name=self.sae, **{**facts, **stated}), tuple(notes)


def _weights_file(path: Path) -> Path:
    """Return the file with the weights: the path itself, or the one in a folder."""
    if not path.is_dir():
        return path
    for name in _NAMES:
        if (path / name).exists():
            return path / name
    there = sorted(child.name for child in path.iterdir())
    other = next((f", but {what}" for name, what in _OTHERS.items() if name in there), "")
    shown = ", ".join(there[:12]) + (", …" if len(there) > 12 else "")
    raise SourceError(
        f"There are no weights of SAELens or Gemma Scope in '{path}'{other}; it holds: {shown or 'nothing'}",
        hint=f"Give the folder of one SAE, with {' or '.join(_NAMES)}.",
        kind="missing-dataset",
    )


def _sha256(path: Path, progress: Progress) -> str:
    with progress.task(f"checksum of {path.name}"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _memory(checkpoint: Checkpoint) -> int:
    """Return the program, blocks, twenty numbers for a feature, and the matrices of a whitening."""
    whitening = 6 * sum(path.stat().st_size for path in checkpoint.files if "whitening" in path.name)
    return _PROGRAM_BYTES + _BLOCKS_BYTES + 160 * checkpoint.n_features + whitening


plugin = SaeWeights
