"""The `cfg.json` of SAELens, of version 6 and of those before, as one set of words.

Before 6.0 all members stood at the top, some had other names, and the architecture could hide in the activation
function. What the old names mean is read in SAELens' own `handle_pre_6_0_config`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from saeatlas.errors import SourceError
from saeatlas.importers._checkpoint import read_json
from saeatlas.kernels.encode import ARCHITECTURES, TRANSCODERS
from saeatlas.kernels.input_scaling import NORMALIZATIONS

__all__ = ["BATCHED", "SaeLensConfig", "layer_of", "read_saelens_config"]

BATCHED: Final = frozenset({"batchtopk", "matryoshka_batchtopk"})
"""Architectures of training; what they are in use is a JumpReLU with one threshold for all features."""

_RENAMED: Final = {
    "hook_point": "hook_name",
    "hook_point_head_index": "hook_head_index",
    "hook_point_layer": "hook_layer",
    "activation_fn_str": "activation_fn",
}
_LAYER: Final = re.compile(r"(?:^|\.)(?:blocks|layers|h|layer)\.(\d{1,6})(?:\.|$)")
_OWN: Final[Mapping[str, Mapping[str, Any]]] = {
    "topk": {"k": 100, "rescale_acts_by_decoder_norm": False},
    "abstopk": {"k": 100, "rescale_acts_by_decoder_norm": False},
    "batchtopk": {"rescale_acts_by_decoder_norm": True},
    "matryoshka_batchtopk": {"rescale_acts_by_decoder_norm": True},
    "temporal": {
        "n_heads": 8,
        "n_attn_layers": 1,
        "bottleneck_factor": 64,
        "sae_diff_type": "topk",
        "kval_topk": None,
        "tied_weights": True,
        "activation_normalization_factor": 1.0,
    },
    "matching_pursuit": {"residual_threshold": 1e-2, "max_iterations": None, "stop_on_duplicate_support": True},
}
"""Members that only one architecture has, with SAELens' defaults for files that leave them out."""
_COUNTS: Final = frozenset({"k", "n_heads", "n_attn_layers", "bottleneck_factor", "kval_topk", "max_iterations"})


@dataclass(frozen=True)
class SaeLensConfig:
    """One `cfg.json`, read."""

    path: Path
    architecture: str
    """As in the file; see `BATCHED`."""
    d_in: int
    d_sae: int
    d_out: int
    encoding: Mapping[str, Any]
    """How the SAE encodes; see `saeatlas.kernels.encode`."""
    facts: Mapping[str, Any]
    """Members of the identity."""
    has_finetuning: bool
    """Whether factors for each feature, learnt after training, go into the decoder."""


def read_saelens_config(path: Path) -> SaeLensConfig:
    """Read a `cfg.json` of SAELens.

    Raises
    ------
    SourceError
        When it is missing or damaged, a member has another type than it must, or the SAE is of an unknown kind.
    """
    if not path.exists():
        raise SourceError(
            f"There is no 'cfg.json' beside the weights: '{path.parent}'",
            hint="Copy it from where the weights come from: without it nobody knows how the SAE encodes.",
            kind="missing-metadata",
        )
    record = read_json(path, "configuration of the SAE")
    nested = record.get("metadata")
    if not (nested is None or isinstance(nested, dict)):
        raise _Members(record, path).wrong("metadata", "an object")
    merged = dict(nested or {})
    # What stands at the top is how the SAE encodes; the rest is about its training.
    merged |= {_RENAMED.get(name, name): value for name, value in record.items() if name != "metadata"}
    members = _Members(merged, path)
    architecture = _architecture(members)
    d_in, d_sae = members.whole("d_in"), members.whole("d_sae")
    hook = members.text("hook_name")
    is_old = _is_old(merged.get("sae_lens_version"))
    encoding = {
        "architecture": "jumprelu" if architecture in BATCHED else architecture,
        "apply_b_dec_to_input": architecture not in TRANSCODERS and members.flag("apply_b_dec_to_input", default=True),
        "normalize_activations": _normalization(members),
        "reshape_activations": merged.get("reshape_activations", "hook_z" if is_old and "hook_z" in hook else "none"),
        **{name: members.own(name, default) for name, default in _OWN.get(architecture, {}).items()},
    }
    if encoding.get("k", 1) > d_sae:
        raise members.wrong("k", f"at most {d_sae}, the features that there are")
    for name in ("hook_name_out", "hook_head_index", "neuronpedia_id", "training_architecture", "sae_lens_version"):
        if merged.get(name) is not None:
            encoding[name] = merged[name]
    return SaeLensConfig(
        path=path,
        architecture=architecture,
        d_in=d_in,
        d_sae=d_sae,
        d_out=members.whole("d_out") if architecture in TRANSCODERS else d_in,
        encoding=encoding,
        facts=_facts(members, encoding, is_old=is_old),
        has_finetuning=bool(merged.get("finetuning_scaling_factor")),
    )


def layer_of(hook: str) -> int | None:
    """Return the layer that the name of a place in a model names, or None: 8 for 'blocks.8.hook_resid_pre'."""
    found = _LAYER.search(hook)
    return int(found[1]) if found else None


class _Members:
    """The members of a configuration, each of the type that it must have."""

    def __init__(self, record: Mapping[str, Any], path: Path) -> None:
        self.record = record
        self.path = path

    def whole(self, name: str) -> int:
        value = self.record.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.wrong(name, "a whole number from 1")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.record.get(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def text(self, name: str) -> str:
        value = self.record.get(name)
        if not (value is None or isinstance(value, str)):
            raise self.wrong(name, "a text")
        return value or ""

    def own(self, name: str, default: Any) -> Any:  # noqa: ANN401  # a flag, a number, a word or null
        """Return a member that only one architecture has, of the type of its default."""
        if name not in self.record:
            return default
        value = self.record[name]
        if name in _COUNTS:
            return self.whole(name) if value is not None or default is not None else None
        if isinstance(default, bool):
            return self.flag(name, default=default)
        if isinstance(default, str):
            return self.text(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise self.wrong(name, "a number from 0")
        return value

    def wrong(self, name: str, must_be: str) -> SourceError:
        found = f"found: {self.record[name]!r:.60}" if name in self.record else "and it is not there"
        return SourceError(
            f"'{name}' must be {must_be}, {found}: '{self.path}'",
            hint="Mend the file, or write it as the training did.",
            kind="missing-metadata",
        )


def _is_old(version: object) -> bool:
    major = re.match(r"\d+", str(version or ""))
    return major is None or int(major[0]) < 6


def _architecture(members: _Members) -> str:
    name = members.text("architecture") or "standard"
    activation = members.text("activation_fn") or "relu"
    kwargs = members.record.get("activation_fn_kwargs")
    if name == "standard" and activation == "topk":
        if not isinstance(kwargs, dict) or "k" not in kwargs:
            raise members.wrong("activation_fn_kwargs", "an object with k")
        members.record = {**members.record, "k": kwargs["k"]}
        name, activation = "topk", "relu"
    known = ARCHITECTURES | BATCHED
    if name not in known or activation not in {"relu", "topk"}:
        unknown = f"architecture '{name}'" if name not in known else f"activation function '{activation}'"
        raise SourceError(
            f"SAEs of the {unknown} are not known: '{members.path}'",
            hint=f"Known architectures: {', '.join(sorted(known))}, with ReLU or top-k.",
            kind="wrong-file-type",
        )
    return name


def _normalization(members: _Members) -> str:
    found = members.record.get("normalize_activations")
    if found is None or isinstance(found, bool):
        return "expected_average_only_in" if found else "none"
    if found not in NORMALIZATIONS:
        raise members.wrong("normalize_activations", f"one of {', '.join(sorted(NORMALIZATIONS))}")
    return str(found)


def _facts(members: _Members, encoding: Mapping[str, Any], *, is_old: bool) -> dict[str, Any]:
    """Return the members of the identity that the file states."""
    record = members.record
    hook = members.text("hook_name")
    layer = record.get("hook_layer")
    facts: dict[str, Any] = {
        "model": members.text("model_name") or None,
        "hook": hook or None,
        "layer": layer if isinstance(layer, int) and not isinstance(layer, bool) and layer >= 0 else layer_of(hook),
        "width": members.whole("d_sae"),
        "architecture": encoding["architecture"],
        "bos": members.flag("prepend_bos", default=True) if is_old or record.get("prepend_bos") is not None else None,
        "context_window": members.whole("context_size") if record.get("context_size") is not None else None,
    }
    if encoding["architecture"] in {"topk", "abstopk"}:
        facts["k"] = encoding["k"]
    l0 = record.get("l0")
    if isinstance(l0, int | float) and not isinstance(l0, bool) and l0 >= 0:
        facts["l0"] = float(l0)
    return facts
