"""Which tokens each feature makes more and less likely, by its direction alone: decoder times unembedding."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from saeatlas.analyses._columns import block_entries, blocks, check_whole, nullable
from saeatlas.analyses._directions import directions_of
from saeatlas.analyses._unembedding import Unembedding, find_tensor, opened_unembedding, read_norm
from saeatlas.errors import InvalidInput, SourceError
from saeatlas.format.source_file import fingerprint
from saeatlas.format.vocabulary import Vocabulary, read_vocabulary
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.pipeline.recipe import fields_of
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.kernels.logit_effects import ActiveSums, Effects

__all__ = ["LogitEffects", "plugin"]

_PANEL_NUMBERS = 32_000_000
"""Numbers of directions held at once; each panel reads the unembedding once."""
_BLOCK_NUMBERS = 4_000_000
"""Numbers of a block of the unembedding."""
_LINES = 262_144
"""Lines that are spelled out at a time."""
_N_SHOWN = 5
"""Tokens of each side that stand beside the numbers of a feature."""


@dataclass(frozen=True)
class _Model:
    """The files, found."""

    path: Path
    tensor: str
    norm: tuple[Path, str] | None


@dataclass(frozen=True, kw_only=True)
class LogitEffects(Analysis):
    """Top and bottom tokens of each feature by its direct effect on the logits, and how much it matters.

    `data` has one line per feature with the size of its effect and its importance, `effects` one per feature and
    token. The direct path only: what later layers make of a direction is not in it.

    Examples
    --------
    saeatlas analyze logit-effects --unembedding gpt2/model.safetensors --vocabulary gpt2/tokenizer.json
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE
    needs: ClassVar[frozenset[str]] = frozenset({"weights"})
    may_use: ClassVar[frozenset[str]] = frozenset({"activations"})
    paths: ClassVar[frozenset[str]] = frozenset({"unembedding", "vocabulary", "norm_file"})
    descriptions: ClassVar[Mapping[str, str]] = {
        "n_tokens": "Tokens of the vocabulary that are ranked.",
        "effect_norm": "Euclidean length of the feature's direct effects on the logits of all ranked tokens, per unit "
        "of activation; 0 without a direction.",
        "effect_mean": "Mean of the feature's direct effects on the logits of all ranked tokens, per unit of "
        "activation.",
        "effect_std": "Population standard deviation of the feature's direct effects on the logits of all ranked "
        "tokens, per unit of activation.",
        "mean_active": "Mean of the feature's active values, in units of the source; "
        "null when it never fires, or without activations.",
        "rms": "Root mean square of the activation over all rows, silent ones as 0, in units of the source; "
        "null without activations.",
        "importance": "Root mean square size of what the feature adds to the logits, rms × effect_norm; "
        "null without activations.",
        "importance_active": "Size of what the feature adds to the logits when it fires, mean_active × effect_norm; "
        "null when it never fires, or without activations.",
        "top_tokens": "The five tokens with the largest direct effects, largest first; null without a vocabulary.",
        "bottom_tokens": "The five tokens with the smallest direct effects, smallest first; null without a vocabulary.",
    }

    unembedding: str = ""
    """File with the unembedding (safetensors, NPZ, NPY), or the folder of the model."""
    tensor: str = ""
    """Name of the unembedding there; empty for the only tensor, or the usual name in files of models."""
    vocabulary: str = ""
    """A `tokenizer.json`, a JSON of ids by token, or a table with id, string and maybe special; empty for ids only."""
    exclude: tuple[str, ...] = ()
    """Tokens that are left out beside those that the vocabulary marks special."""
    norm: str = ""
    """Name of the scale of the model's last norm, to fold in; empty to leave it out."""
    norm_file: str = ""
    """File with that scale, where it is not in that of the unembedding."""
    norm_offset: float = 0.0
    """Added to the scale: 1 for models such as Gemma, whose files hold the scale minus one."""
    centered: bool = False
    """Whether the mean of each direction is taken away first, as a LayerNorm does; not for RMSNorm."""
    k: int = 30
    """Tokens of each side for a feature."""

    def __post_init__(self) -> None:
        check_whole(self, k=(1, 10_000))
        if not math.isfinite(self.norm_offset) or (self.norm_offset and not self.norm):
            raise InvalidInput(f"'norm_offset' is added to the scale of a norm, found: {self.norm_offset} without one")
        if self.norm_file and not self.norm:
            raise InvalidInput("'norm_file' is given, and 'norm' does not say which tensor")

    def params(self) -> dict[str, Any]:
        """Return the fields, files by digests of what they hold, so that another file is another result."""
        model = self._model
        files = {"unembedding": model.path, "vocabulary": self._vocabulary_file}
        files["norm_file"] = model.norm[0] if model.norm else None
        digests = {name: fingerprint(path) if path else "" for name, path in files.items()}
        return fields_of(self) | digests | {"tensor": model.tensor}

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/logit-effects.md for each column."""
        import pyarrow as pa

        def given(kind: pa.DataType, *names: str) -> list[pa.Field]:
            return [pa.field(name, kind, nullable=False) for name in names]

        def numbers(*names: str) -> list[pa.Field]:
            return [pa.field(name, pa.float64()) for name in names]

        feature, text = given(pa.uint32(), "feature"), pa.string()
        data = [*feature, *given(pa.int64(), "n_tokens"), *numbers("effect_norm", "effect_mean", "effect_std")]
        data += numbers("mean_active", "rms", "importance", "importance_active")
        data += [pa.field(name, pa.list_(text)) for name in ("top_tokens", "bottom_tokens")]
        effects = [*feature, *given(text, "side"), *given(pa.int32(), "rank"), *given(pa.int64(), "token")]
        effects += [pa.field("string", text), *given(pa.float32(), "effect"), *numbers("contribution")]
        return {"data": pa.schema(data), "effects": pa.schema(effects)}

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Multiply panel after panel with all tokens; memory as `peak_bytes` says.

        Raises
        ------
        InvalidInput
            When no unembedding is given, or a tensor or token is not there.
        NotFound
            When the SAE has no weights.
        SourceError
            When the files do not fit the SAE, or each other.
        """
        import pyarrow as pa

        weights = directions_of(sae, "decoder")
        d, n = weights.d_out, weights.n_features
        model, words = self._model, self._words()
        spelled = None if words is None else (words.ids, pa.array(words.strings, pa.string()))
        scale = None if model.norm is None else read_norm(*model.norm, d) + self.norm_offset
        sums = _sums(sae, progress) if sae.has_activations else None
        panels = []
        with (
            opened_unembedding(model.path, model.tensor, d) as unembedding,
            progress.task("logit effects", total=n, unit="features") as task,
        ):
            kept = _kept(unembedding, words)
            step = max(1, _PANEL_NUMBERS // d)
            for start in range(0, n, step):
                rows = _folded(weights.decoder(start, min(n, start + step)), scale, is_centered=self.centered)
                has_direction = np.asarray(rows.any(axis=1))
                panels.append(_Panel(start, has_direction, self._strongest(rows, unembedding, kept), spelled, sums))
                task.advance(len(rows))
        n_tokens, n_rows = int(kept.sum()), sae.n_rows if sums else 0
        return {
            "data": (panel.data(n_tokens, n_rows) for panel in panels),
            "effects": (batch for panel in panels for batch in panel.effects()),
        }

    def peak_bytes(self, sae: SAE) -> int:
        """Return the sum of what follows.

        300 MB for the program; the larger of 24 bytes per number of a panel and of a block of the unembedding, and 40
        per listed entry of the largest block of activations; 100 MB for products; 24 bytes for each token of a
        feature's lists, and 200 for those spelled out; 60 MB for a vocabulary of 300,000.
        """
        weights = sae.weights
        if weights is None:
            return 0
        panel = 24 * min(_PANEL_NUMBERS, weights.n_features * weights.d_out) + 24 * _BLOCK_NUMBERS
        entries = 40 * block_entries(sae) if sae.has_activations else 0
        lists = 48 * self.k * weights.n_features + 200 * _LINES
        return 300_000_000 + max(panel, entries) + 100_000_000 + lists + 60_000_000

    def _strongest(self, rows: Any, unembedding: Unembedding, kept: npt.NDArray[np.bool_]) -> Effects:  # noqa: ANN401
        from saeatlas.kernels.logit_effects import strongest_effects

        return strongest_effects(rows, _blocks(unembedding, kept), self.k)

    @cached_property
    def _model(self) -> _Model:
        if not self.unembedding:
            raise InvalidInput(
                "Logit effects need the unembedding of the model, and none is given",
                hint="Say --unembedding with the model's safetensors file or folder, and --vocabulary with its "
                "tokenizer.json.",
            )
        path, tensor = find_tensor(Path(self.unembedding), self.tensor)
        place = Path(self.norm_file) if self.norm_file else Path(self.unembedding)
        return _Model(path, tensor, find_tensor(place, self.norm, "norm") if self.norm else None)

    @property
    def _vocabulary_file(self) -> Path | None:
        path = Path(self.vocabulary)
        if not self.vocabulary:
            return None
        return path / "tokenizer.json" if path.is_dir() else path

    def _words(self) -> Vocabulary | None:
        path = self._vocabulary_file
        if path is None:
            if self.exclude:
                raise InvalidInput("Tokens to exclude are named, and no vocabulary is given", hint="Say --vocabulary.")
            return None
        return read_vocabulary(path).excluding(self.exclude)


def _folded(rows: Any, scale: Any, *, is_centered: bool) -> npt.NDArray[np.float64]:  # noqa: ANN401  # arrays or None
    wide = rows.astype(np.float64)
    if is_centered:
        wide -= wide.mean(axis=1, keepdims=True)
    return np.asarray(wide if scale is None else wide * scale)


def _kept(unembedding: Unembedding, words: Vocabulary | None) -> npt.NDArray[np.bool_]:
    """Mark the rows of the unembedding that are ranked: those of tokens that are not special."""
    if words is None:
        return np.ones(unembedding.n_tokens, np.bool_)
    if words.ids[-1] >= unembedding.n_tokens:
        raise SourceError(
            f"The vocabulary has the id {words.ids[-1]}, and the unembedding {unembedding.n_tokens} rows",
            hint="They are of different models.",
            kind="tokenizer-mismatch",
        )
    kept = np.zeros(unembedding.n_tokens, np.bool_)
    kept[words.ids[~words.is_special]] = True
    if not kept.any():
        raise InvalidInput("Every token of the vocabulary is special or excluded", hint="Is it the right vocabulary?")
    return kept


def _blocks(unembedding: Unembedding, kept: npt.NDArray[np.bool_]) -> Iterator[tuple[npt.NDArray[np.int64], Any]]:
    step = max(1, _BLOCK_NUMBERS // (unembedding.tensor.size // max(1, unembedding.n_tokens)))
    for start in range(0, unembedding.n_tokens, step):
        stop = min(unembedding.n_tokens, start + step)
        tokens = start + np.flatnonzero(kept[start:stop])
        if not tokens.size:
            continue
        rows = unembedding.rows(start, stop)[kept[start:stop]]
        if not np.isfinite(rows).all():
            bad = tokens[~np.isfinite(rows).all(axis=1)][0]
            raise SourceError(
                f"The unembedding '{unembedding.tensor.name}' holds a number that is not finite for token {bad}",
                hint="The file is damaged: copy it again.",
                kind="not-finite",
            )
        yield tokens, rows


def _sums(sae: SAE, progress: Progress) -> ActiveSums:
    from saeatlas.kernels.logit_effects import ActiveSums

    parts = [ActiveSums.of(block.indptr, block.values) for block in blocks(sae, progress)]
    return ActiveSums(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("n_active", "sum", "square"))
    )


@dataclass(frozen=True)
class _Panel:
    """The results of neighbouring features."""

    first: int
    has_direction: npt.NDArray[np.bool_]
    found: Effects
    words: tuple[npt.NDArray[np.int64], pa.Array] | None
    """Ids of tokens, ascending, and what they read as."""
    sums: ActiveSums | None

    def data(self, n_tokens: int, n_rows: int) -> pa.RecordBatch:
        import pyarrow as pa

        n = self.has_direction.size
        rms = np.full(n, np.nan)
        if self.sums is not None and n_rows:
            rms = np.sqrt(self._part(self.sums.square) / n_rows)
        mean, norm = self._means(), self.found.norm
        return pa.record_batch(
            {
                "feature": np.arange(self.first, self.first + n, dtype=np.uint32),
                "n_tokens": np.full(n, n_tokens, np.int64),
                "effect_norm": nullable(norm),
                "effect_mean": nullable(self.found.mean),
                "effect_std": nullable(self.found.std),
                "mean_active": nullable(mean),
                "rms": nullable(rms),
                "importance": nullable(rms * norm),
                "importance_active": nullable(mean * norm),
                "top_tokens": self._shown(self.found.top),
                "bottom_tokens": self._shown(self.found.bottom),
            }
        )

    def effects(self) -> Iterator[pa.RecordBatch]:
        rows = np.flatnonzero(self.has_direction)
        kept = self.found.top.shape[1]
        step = max(1, _LINES // max(1, 2 * kept))
        for start in range(0, rows.size, step):
            yield self._lines(rows[start : start + step], kept)

    def _lines(self, rows: npt.NDArray[np.int64], kept: int) -> pa.RecordBatch:
        import pyarrow as pa

        tokens = np.stack([self.found.top[rows], self.found.bottom[rows]], axis=1).reshape(-1)
        effect = np.stack([self.found.top_effects[rows], self.found.bottom_effects[rows]], axis=1).reshape(-1)
        mean = np.repeat(self._means()[rows], 2 * kept)
        return pa.record_batch(
            {
                "feature": np.repeat((rows + self.first).astype(np.uint32), 2 * kept),
                "side": pa.array(["top", "bottom"]).take(pa.array(np.tile(np.repeat([0, 1], kept), rows.size))),
                "rank": np.tile(np.arange(kept, dtype=np.int32), 2 * rows.size),
                "token": tokens,
                "string": self._strings(tokens),
                "effect": effect,
                "contribution": nullable(effect.astype(np.float64) * mean),
            }
        )

    def _part(self, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return numbers[self.first : self.first + self.has_direction.size]

    def _means(self) -> npt.NDArray[np.float64]:
        """Mean of the active values of each feature; NaN without any."""
        if self.sums is None:
            return np.full(self.has_direction.size, np.nan)
        count = self._part(self.sums.n_active)
        unknown = np.full(count.size, np.nan)
        return np.asarray(np.divide(self._part(self.sums.sum), count, out=unknown, where=count > 0))

    def _strings(self, tokens: npt.NDArray[np.int64]) -> pa.Array:
        import pyarrow as pa

        if self.words is None:
            return pa.nulls(tokens.size, pa.string())
        ids, strings = self.words
        return strings.take(pa.array(np.searchsorted(ids, tokens)))

    def _shown(self, tokens: npt.NDArray[np.int64]) -> pa.Array:
        """Return the first few tokens of each feature as a list; an empty one where it has no direction."""
        import pyarrow as pa

        if self.words is None:
            return pa.nulls(tokens.shape[0], pa.list_(pa.string()))
        shown = tokens[:, :_N_SHOWN]
        sizes = np.where(self.has_direction, shown.shape[1], 0)
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        return pa.ListArray.from_arrays(offsets, self._strings(shown[self.has_direction].reshape(-1)))


plugin = LogitEffects
