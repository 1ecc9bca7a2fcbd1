"""Imports labels of features from Neuronpedia: from its bulk files, or from its API feature by feature."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.format.canonical import digest_bytes
from saeatlas.format.identity import SaeIdentity
from saeatlas.importers._gemma_scope_canonical import labelled_l0
from saeatlas.importers._http import Client, Timing
from saeatlas.importers._neuronpedia_api import ask_features, read_answers
from saeatlas.importers._neuronpedia_bulk import (
    batch_folder,
    download_batches,
    find_batches,
    is_complete,
    kept_at,
    read_batches,
)
from saeatlas.importers._neuronpedia_lines import About, Labels
from saeatlas.pipeline.layers import parse_layers
from saeatlas.pipeline.sae_importer import Pending, SaeImporter, SaePart, SaeSurvey
from saeatlas.progress import SILENT, Progress
from saeatlas.settings import cache_directory

__all__ = ["NeuronpediaLabels", "plugin"]

KEY: Final = "NEURONPEDIA_API_KEY"
"""Environment variable of the key, which is sent to the API and kept nowhere."""
_PART: Final = "explanations/neuronpedia"
_ADDRESS: Final = re.compile(r"neuronpedia://([\w.-]+)/([\w.-]+)/?")
_LAYER: Final = "{layer}"
_ASKED: Final = "_asked"
TIMING = Timing()
"""Time and chance of requests."""


@dataclass(frozen=True, kw_only=True)
class NeuronpediaLabels(SaeImporter):
    """Labels from Neuronpedia: `neuronpedia://MODEL/SAE`, a folder or file of its bulk explanations, or their address.

    All explanations of all features are kept, with the model that wrote each and its method. Texts are kept as they
    are. What was downloaded is kept in the cache and not asked for again.

    Examples
    --------
    saeatlas import neuronpedia-labels neuronpedia://gemma-2-2b/12-gemmascope-res-16k --sae gemma-l12 --atlas a.atlas
    """

    version: ClassVar[int] = 1

    via: Literal["bulk", "api"] = "bulk"
    """Where labels are read: from the bulk files, or feature by feature from the API, which needs --n-features."""
    model: str = ""
    """Neuronpedia's id of the model that the labels must be about; empty to take the one that they name."""
    source_id: str = ""
    """Neuronpedia's id of the SAE that the labels must be about, such as '12-gemmascope-res-16k'; empty likewise."""
    known_as: str = ""
    """What the atlas calls the model, where that differs from Neuronpedia's id."""
    n_features: int = 0
    """Width of the SAE; 0 when unknown."""
    layers: str = ""
    """Layers such as '0-5,10', each an SAE of its own; '{layer}' in the source and in --sae stands for the layer."""
    n_batches: int = 0
    """Batches that there must be; 0 when unknown, and then a missing end is not seen."""
    allow_missing: bool = False
    """Whether batches may be missing; their features then count as unknown."""
    refresh: bool = False
    """Whether to forget what was downloaded before, and to ask again."""
    bulk_url: str = "https://neuronpedia-datasets.s3.us-east-1.amazonaws.com/v1"
    """Address of the bulk files of all models."""
    api_url: str = "https://www.neuronpedia.org"
    """Address of the API."""
    requests_per_hour: int = 20_000
    """Requests to the API within any 60 minutes at most."""
    tries: int = 5
    """Times that a request is made before it counts as failed."""
    timeout: float = 30.0
    """Seconds without a byte after which a connection counts as broken."""
    cache: str = ""
    """Folder for what is downloaded; empty for the one of SAEATLAS_CACHE."""

    def pending(self) -> Pending | None:
        """Return the labels, of whatever size, where they were not downloaded to the end before."""
        self._check()
        if self._is_local:
            return None
        is_here = not self._read(SILENT).failed if self.via == "api" else is_complete(self._place)
        return None if is_here and not self.refresh else Pending((_PART,), None)

    def survey(self, progress: Progress) -> SaeSurvey:
        """Download what is not there yet, and read all of it."""
        self._check()
        if not self._is_local and _ASKED not in self.__dict__:
            self._download(progress)
            # One command may survey twice; what failed once is not asked for again before the next.
            self.__dict__[_ASKED] = True
        labels = self._read(progress)
        if not labels.texts:
            raise SourceError(
                f"There is not one label of {labels.about}",
                hint="Check the ids of the model and of the SAE: both are in the address of a feature's page.",
                kind="empty-source",
            )
        if labels.missing_batches and not self.allow_missing:
            missing = ", ".join(str(number) for number in labels.missing_batches[:20])
            raise SourceError(
                f"Batches of labels are missing: {missing}",
                hint="Get them, or say --allow-missing: the labels of their features then count as unknown.",
            )
        l0 = labelled_l0(labels.about.model, labels.about.source)
        identity = SaeIdentity(
            name=self.sae,
            model=self.known_as or labels.about.model or None,
            layer=labels.about.layer,
            width=self.n_features or None,
            l0=None if l0 is None else float(l0),
        )
        memory = 100_000_000 + 8 * sum(map(len, labels.texts)) + 1_000 * len(labels.texts)
        part = SaePart(_PART, "explanations", labels.digest(), memory)
        about = (f"Labels of {labels.about} are about the SAE with L0 {l0}",) if l0 else ()
        return SaeSurvey(identity, (part,), self.n_features or None, (*about, *labels.notes()))

    def write(self, part: SaePart, directory: Path, progress: Progress) -> dict[str, Any]:
        """Write the explanations; nothing is downloaded any more."""
        from saeatlas.format.explanations import write_explanations

        del part
        labels = self._read(progress)
        written = write_explanations(directory, labels.features, labels.texts, labels.explainers, labels.methods)
        return written | labels.facts()

    def expand(self) -> tuple[SaeImporter, ...]:
        """Return an importer for each layer."""
        if not self.layers:
            return (self,)
        layers = parse_layers(self.layers)
        if _LAYER not in self.source + self.source_id or (len(layers) > 1 and _LAYER not in self.sae):
            raise InvalidInput(
                f"{len(layers)} layers would all be '{self.source}' with the name '{self.sae}'",
                hint=f"Put '{_LAYER}' where the number stands in both: neuronpedia://gemma-2-2b/"
                f"{_LAYER}-gemmascope-res-16k --sae gemma-{_LAYER}",
            )
        texts = {name: getattr(self, name) for name in ("source", "sae", "source_id")}
        return tuple(
            replace(self, layers="", **{name: text.replace(_LAYER, str(layer)) for name, text in texts.items()})
            for layer in layers
        )

    def _check(self) -> None:
        if self.layers or _LAYER in self.source + self.source_id:
            raise InvalidInput(f"Which layer is meant by '{_LAYER}' is not said", hint="Say --layers, such as 0-5,10.")
        if min(self.n_features, self.n_batches) < 0:
            raise InvalidInput("The numbers of features and of batches are 0 or more")
        if self.source.startswith("neuronpedia:") and not _ADDRESS.fullmatch(self.source):
            raise InvalidInput(
                f"Not an address of labels: '{self.source}'", hint="Write it as neuronpedia://MODEL/SAE, by their ids."
            )
        if self.via == "api" and (not _ADDRESS.fullmatch(self.source) or not self.n_features):
            raise InvalidInput(
                "The API is asked feature by feature, for which the ids and the width of the SAE are needed",
                hint="Give neuronpedia://MODEL/SAE and --n-features.",
            )

    @property
    def _is_local(self) -> bool:
        return re.match(r"(neuronpedia|https?)://", self.source) is None

    @property
    def _about(self) -> About:
        """What the labels must be about: what the address says, and what was said besides."""
        said = About(self.model, self.source_id)
        named = _ADDRESS.fullmatch(self.source)
        return said.agreed(About(named[1], named[2]), "The source") if named else said

    @property
    def _address(self) -> str:
        """Address of the bulk files of this SAE, or of the API."""
        named = _ADDRESS.fullmatch(self.source)
        if named is None:
            return batch_folder(self.source)
        if self.via == "api":
            return self.api_url.rstrip("/")
        return batch_folder(f"{self.bulk_url.rstrip('/')}/{named[1]}/{named[2]}")

    @property
    def _place(self) -> Path:
        """Folder of what was downloaded: one for each address and SAE."""
        about = self._about
        key = digest_bytes(f"{self.via}\n{self._address}\n{about.model}\n{about.source}".encode())[:24]
        return (Path(self.cache) if self.cache else cache_directory()) / "neuronpedia" / key

    def _download(self, progress: Progress) -> None:
        place = self._place
        if self.refresh and place.exists():
            shutil.rmtree(place)
        if self.via == "api":
            client = self._client(progress, api=True)
            ask_features(client, self._address, self._about, self.n_features, place / "answers.jsonl", progress)
        else:
            download_batches(self._client(progress, api=False), self._address, place, self.n_batches, progress)

    def _client(self, progress: Progress, *, api: bool) -> Client:
        key = os.environ.get(KEY, "").strip() if api else ""
        return Client(
            tries=self.tries,
            timeout=self.timeout,
            requests_per_hour=self.requests_per_hour if api else 0,
            private={"x-api-key": key} if key else {},
            # A bucket that may not be listed says 'forbidden' of what is not there.
            absent=frozenset({404, 410} if api else {403, 404, 410}),
            tell=progress.say,
            timing=TIMING,
        )

    def _read(self, progress: Progress) -> Labels:
        if self.via == "api":
            return read_answers(self._place / "answers.jsonl", self._about, self.n_features)
        batches = find_batches(
            Path(self.source) if self._is_local else kept_at(self._address, self._place), self.n_batches
        )
        return read_batches(batches, self._about, self.n_features, progress)


plugin = NeuronpediaLabels
