"""Neuronpedia's API, which is asked feature by feature: for SAEs without bulk files, or for what they lack.

What a feature has is written to a file at once, one line each, so that a run that stops goes on where it was. A feature
that the server does not know has no label; one whose answer never came is unknown, is not written down, and is asked
for again the next time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from saeatlas.errors import SourceError
from saeatlas.importers._http import Client, GaveUp
from saeatlas.importers._neuronpedia_lines import EXPLANATION, About, Labels, read_about, read_object
from saeatlas.progress import Progress

__all__ = ["ask_features", "read_answers"]

_MANY_UNKNOWN: Final = 100
_MOST_IN_A_ROW: Final = 20
"""Features in a row without an answer before the server counts as down."""


def ask_features(client: Client, url: str, about: About, n_features: int, place: Path, progress: Progress) -> None:
    """Ask for every feature that is not in the file yet.

    Parameters
    ----------
    url
        Address of the server, without a slash at its end.
    about
        Model and SAE, both known.
    n_features
        Features 0 to `n_features` - 1 are asked for.
    place
        File of the answers so far; made when there is none.

    Raises
    ------
    SourceError
        Kind network-error when the server seems to be down; the answers so far are kept.
    """
    there = {answer["index"] for answer in _answers(place)}
    base = f"{url}/api/feature/{quote(about.model, safe='')}/{quote(about.source, safe='')}"
    in_a_row = n_unknown = 0
    with progress.task("Ask for labels", total=n_features, unit="features") as task, _appended(place) as write:
        task.advance(len(there))
        for index in range(n_features):
            if index in there:
                continue
            try:
                found = client.ask(f"{base}/{index}", partial(_read, about=about, index=index))
            except GaveUp as error:
                in_a_row += 1
                if in_a_row == _MOST_IN_A_ROW or (n_features == in_a_row and not there):
                    raise SourceError(
                        f"The server does not answer: {error}",
                        hint="Run it again later: what has arrived is kept.",
                        kind="network-error",
                    ) from error
            else:
                in_a_row = 0
                n_unknown = n_unknown + 1 if found is None else -n_features
                if n_unknown == _MANY_UNKNOWN:
                    progress.say(f"The server knows none of the first {n_unknown} features: are the ids right?")
                write({"index": index, "explanations": found or [], "known": found is not None})
            task.advance(1)


def read_answers(place: Path, about: About, n_features: int) -> Labels:
    """Return the labels in the file; features without an answer count as failed."""
    labels = Labels(about, n_features)
    answered = set()
    for answer in sorted(_answers(place), key=lambda answer: int(answer["index"])):
        index = int(answer["index"])
        if index >= n_features or index in answered:
            continue
        answered.add(index)
        for record in answer["explanations"]:
            labels.add(index, record, f"The answer about feature {index}")
    labels.failed = tuple(index for index in range(n_features) if index not in answered)
    return labels


def _read(body: bytes, about: About, index: int) -> list[dict[str, object]]:
    """Return the explanations of an answer; a ValueError when it is no answer to what was asked."""
    try:
        return _explanations(read_object(json.loads(body), "it"), about, index)
    except (SourceError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _explanations(record: dict[str, object], about: About, index: int) -> list[dict[str, object]]:
    found, feature = read_about(record, "it")
    about.agreed(found, "it")
    if feature != index:
        raise SourceError(f"it is about feature {feature}, not {index}")
    explanations = record.get("explanations")
    if not isinstance(explanations, list):
        raise SourceError("it has no list of explanations")
    kept = [{name: read_object(one, "it").get(name) for name in EXPLANATION} for one in explanations]
    trial = Labels(about)
    for one in kept:
        trial.add(index, one, "it")
    return kept


def _answers(place: Path) -> Iterator[dict[str, Any]]:
    """Yield the answers so far; a line that was cut off is none."""
    if place.exists():
        for line in place.read_bytes().rpartition(b"\n")[0].splitlines():
            with suppress(ValueError):
                yield json.loads(line)


@contextmanager
def _appended(place: Path) -> Iterator[Callable[[dict[str, object]], None]]:
    """Yield a function that adds an answer to the file and has it on disk before it returns."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        whole = place.read_bytes().rpartition(b"\n")
        os.truncate(place, len(whole[0]) + len(whole[1]))
    with place.open("ab") as file:

        def write(answer: dict[str, object]) -> None:
            file.write(json.dumps(answer).encode() + b"\n")
            file.flush()

        yield write
