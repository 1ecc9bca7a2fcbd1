"""One feature: everything that its page shows in one answer, made of what can be served quickly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from saeatlas.atlas.breakdown import served_breakdowns
from saeatlas.atlas.characteristic_tokens import characteristic
from saeatlas.atlas.examples import Question, live_rows, pick_rows, served_focus
from saeatlas.atlas.feature import Feature
from saeatlas.atlas.sae import SAE
from saeatlas.atlas.statistics import Histogram, Scale, live_histogram, live_stats, served_histogram, served_stats
from saeatlas.atlas.tables import lines_of, served_rows, state_of
from saeatlas.server.live import FeatureNow
from saeatlas.server.models.activity import BreakdownInfo, HistogramBins, StatsInfo
from saeatlas.server.models.bundle import (
    BundleExamples,
    BundleHistograms,
    BundleLabels,
    FeatureBundle,
    FeatureCluster,
    FeatureExplanation,
    MissingPart,
)
from saeatlas.server.models.examples import TextReader, examples_of
from saeatlas.server.models.labels import shown_label
from saeatlas.server.models.names import FeatureNames
from saeatlas.server.models.relations import (
    CoactiveFeature,
    Effects,
    FeatureNeighbor,
    FeatureNgram,
    FeatureToken,
    effects_of,
)
from saeatlas.server.models.tables import ngrams_basis
from saeatlas.server.respond import Basis, record, unchanged

if TYPE_CHECKING:
    from saeatlas.atlas.contexts import Focus

__all__ = ["router"]

router = APIRouter(tags=["features"])
_Model = TypeVar("_Model", bound=BaseModel)

_QUICK = 200_000
"""Listed rows of a feature up to which its numbers are computed in a few milliseconds; above, they are served."""
_QUICK_BINS = 50_000
"""Listed rows up to which counting its values costs less than reading the counts of all features near it."""
_QUICK_DRAW = 5_000
"""Listed rows up to which drawing examples costs less than reading those of all features near it."""
_QUICK_TOKENS = 20_000
"""Listed rows up to which its tokens are counted: they lie scattered, and each stretch is a read."""
_SPAN = (20, 10)
_TOP, _STRATA, _PER_STRATUM, _RANDOM = 20, 4, 5, 10
_NAMED_BY = 3
"""Tokens beside another feature."""
_TOKENS, _NEIGHBORS, _COACTIVE, _EFFECTS, _NGRAMS = 20, 10, 20, 15, 5
_BINS = 40


@router.get("/saes/{sae}/features/{feature}", response_model=FeatureBundle)
def feature_bundle(request: Request, feature: FeatureNow) -> Response:
    """Tell everything about one feature that a page shows at once.

    Parts come from analyses that are current, or are computed where that takes a few milliseconds; otherwise they are
    null, and `missing` says why and what to run. The resources below the feature compute whatever is asked for.
    """
    known = unchanged(request, feature.sae.labels.position)
    return record(request, _Bundle(feature).made()) if known is None else known


@dataclass
class _Bundle:
    """One answer in the making."""

    feature: Feature
    missing: list[MissingPart] = field(default_factory=list)

    @property
    def sae(self) -> SAE:
        return self.feature.sae

    def made(self) -> FeatureBundle:
        sae, feature = self.sae, self.feature.id
        names = FeatureNames(sae)
        active = self._of_activations() if sae.has_activations else self._without_activations()
        return FeatureBundle.model_construct(
            commit=sae.atlas.commit.number,
            labels_position=names.position,
            sae=sae.name,
            feature=feature,
            n_features=sae.n_features,
            identity=sae.identity.to_json(),
            identity_digest=sae.identity.digest(),
            columns=sae.lookup.columns(feature),
            neighbors=self._neighbors(names),
            coactive=self._coactive(names),
            effects=self._effects(),
            clusters=self._clusters(),
            explanations=[FeatureExplanation.model_construct(**one) for one in sae.lookup.explanations(feature)],
            labels=_labels(sae, feature),
            missing=self.missing,
            **active,
        )

    def _lacks(self, part: str, analysis: str | None, reason: str = "") -> None:
        state = None if analysis is None else state_of(self.sae, analysis)
        self.missing.append(
            MissingPart.model_construct(
                part=part,
                analysis=analysis,
                state=None if state is None else state.word,
                reason=reason or (state.reason if state else ""),
            )
        )

    def _without_activations(self) -> dict[str, Any]:
        reason = f"SAE '{self.sae.name}' has no activations: import them with this name"
        for part in ("stats", "histograms", "examples", "tokens", "ngrams", "breakdowns"):
            self._lacks(part, None, reason)
        nothing = dict.fromkeys(
            ("basis", "stats", "histograms", "examples", "tokens", "ngrams", "ngrams_basis", "is_dead")
        )
        return {**nothing, "headline": [], "breakdowns": []}

    def _of_activations(self) -> dict[str, Any]:
        sae, tokens = self.sae, self._tokens()
        return {
            "basis": Basis.model_construct(n_rows=sae.n_rows, exact=True, sampled=None),
            "is_dead": not int(sae.activations.active_counts[self.feature.id]),
            "stats": self._stats(),
            "histograms": self._histograms(),
            "examples": self._examples(),
            "headline": characteristic(tokens or ()),
            "tokens": None if tokens is None else [FeatureToken.model_construct(**line) for line in tokens],
            **self._ngrams(),
            "breakdowns": self._breakdowns(),
        }

    def _is_quick(self, most: int) -> bool:
        return self.sae.activations.count(self.feature.id) <= most

    def _stats(self) -> StatsInfo | None:
        found = served_stats(self.sae, self.feature.id)
        if found is None and self._is_quick(_QUICK):
            found = live_stats(self.sae, self.feature.id)
        if found is None:
            self._lacks("stats", "stats")
        return None if found is None else StatsInfo.of(found)

    def _histograms(self) -> BundleHistograms | None:
        made = [self._histogram("linear"), self._histogram("log")]
        if made[0] is None or made[1] is None:
            self._lacks("histograms", "histogram")
            return None
        return BundleHistograms.model_construct(linear=HistogramBins.of(made[0]), log=HistogramBins.of(made[1]))

    def _histogram(self, scale: Scale) -> Histogram | None:
        sae, feature = self.sae, self.feature.id
        if self._is_quick(_QUICK_BINS):
            return live_histogram(sae, feature, _BINS, scale)
        found = served_histogram(sae, feature, _BINS, scale, more_than=_QUICK_BINS)
        return live_histogram(sae, feature, _BINS, scale) if found is None and self._is_quick(_QUICK) else found

    def _examples(self) -> BundleExamples:
        sae, feature = self.sae, self.feature.id
        focuses: dict[str, Focus] = {"top": pick_rows(sae, feature, Question("top", _TOP))}
        questions = {
            "quantiles": Question("quantiles", _PER_STRATUM, strata=_STRATA),
            "random": Question("random", _RANDOM),
        }
        for name, question in questions.items():
            found = None if self._is_quick(_QUICK_DRAW) else served_focus(sae, feature, question)
            if found is None and self._is_quick(_QUICK):
                found = live_rows(sae, feature, question)
            if found is None:
                self._lacks(f"examples.{name}", "examples")
            else:
                focuses[name] = found
        lists = examples_of(sae, feature, list(focuses.values()), _SPAN, TextReader(sae))
        made = dict(zip(focuses, lists, strict=True))
        return BundleExamples.model_construct(
            top=made["top"], quantiles=made.get("quantiles"), random=made.get("random")
        )

    def _tokens(self) -> list[dict[str, Any]] | None:
        if self.sae.corpus.tokens is None:
            self._lacks("tokens", None, f"Corpus '{self.sae.corpus.name}' was imported without tokens")
            return None
        is_served = served_rows(self.sae, "top-tokens", -1, {}, at_least={"k": _TOKENS}) is not None
        if not (is_served or self._is_quick(_QUICK_TOKENS)):
            self._lacks("tokens", "top-tokens")
            return None
        found: list[dict[str, Any]] = self.feature.top_tokens(_TOKENS).to_pylist()
        return found

    def _ngrams(self) -> dict[str, Any]:
        state = state_of(self.sae, "token-profile")
        if not state.is_current:
            self._lacks("ngrams", "token-profile")
            return {"ngrams": None, "ngrams_basis": None}
        about = (self.sae, "token-profile", self.feature.id, "ngrams", tuple(FeatureNgram.model_fields))
        lines = lines_of(*about, below=("rank", _NGRAMS)).to_pylist()
        return {"ngrams": _models(FeatureNgram, lines), "ngrams_basis": ngrams_basis(self.feature, state.params)}

    def _breakdowns(self) -> list[BreakdownInfo]:
        found = served_breakdowns(self.sae, self.feature.id)
        if found is None:
            if self.sae.corpus.metadata_columns:
                self._lacks("breakdowns", "metadata-association")
            return []
        breakdowns, reasons = found
        for column, reason in reasons.items():
            self._lacks(f"breakdowns.{column}", "metadata-association", reason)
        return [BreakdownInfo.of(one) for one in breakdowns]

    def _neighbors(self, names: FeatureNames) -> list[FeatureNeighbor] | None:
        lines = served_rows(self.sae, "neighbors", self.feature.id, {"by": "decoder"})
        if lines is None:
            self._lacks("neighbors", "neighbors")
            return None
        nearest = lines.slice(0, _NEIGHBORS).to_pylist()
        every = self.sae.lookup.tokens([line["neighbor"] for line in nearest], _NAMED_BY)
        return [
            FeatureNeighbor.model_construct(
                feature=line["neighbor"], cosine=line["cosine"], text=names.text(line["neighbor"]), tokens=tokens
            )
            for line, tokens in zip(nearest, every, strict=True)
        ]

    def _coactive(self, names: FeatureNames) -> list[CoactiveFeature] | None:
        lines = served_rows(self.sae, "coactivation", self.feature.id, {})
        if lines is None or (lines.num_rows and not lines["is_exact"][0].as_py()):
            reason = "" if lines is None else "The analysis 'coactivation' was made from a draw of rows"
            self._lacks("coactive", "coactivation", reason)
            return None
        numbers = ("count", "lift", "pmi", "jaccard", "pearson")
        partners = lines.slice(0, _COACTIVE).to_pylist()
        every = self.sae.lookup.tokens([line["partner"] for line in partners], _NAMED_BY)
        return [
            CoactiveFeature.model_construct(
                feature=line["partner"],
                text=names.text(line["partner"]),
                tokens=tokens,
                **{name: line[name] for name in numbers},
            )
            for line, tokens in zip(partners, every, strict=True)
        ]

    def _effects(self) -> Effects | None:
        if not state_of(self.sae, "logit-effects").is_current:
            self._lacks("effects", "logit-effects")
            return None
        columns = ("side", "rank", "token", "string", "effect")
        about = (self.sae, "logit-effects", self.feature.id, "effects", columns)
        return effects_of(lines_of(*about, below=("rank", _EFFECTS)).to_pylist())

    def _clusters(self) -> list[FeatureCluster]:
        if not state_of(self.sae, "clusters").is_current:
            self._lacks("clusters", "clusters")
            return []
        return [
            FeatureCluster.model_construct(
                name=name, cluster=one.cluster, path=one.path, terms=list(one.terms), size=one.size
            )
            for name, one in self.sae.lookup.clusters(self.feature.id)
        ]


def _labels(sae: SAE, feature: int) -> BundleLabels:
    found = sae.labels.of(feature)
    return BundleLabels.model_construct(
        current=[shown_label(one) for one in found.current], n_history=len(found.history)
    )


def _models(model: type[_Model], lines: Iterable[dict[str, Any]]) -> list[_Model]:
    return [model.model_construct(**line) for line in lines]
