"""Make one artifact, or find that it was made before: the only place that writes artifacts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from saeatlas.format.artifact import SEAL, Manifest, load_manifest, seal
from saeatlas.format.commit import Entry
from saeatlas.pipeline.recipe import Recipe
from saeatlas.pipeline.step import Step, View, Work
from saeatlas.progress import Event, Progress
from saeatlas.settings import Settings
from saeatlas.storage.store import Store

__all__ = ["Made", "find", "make", "recipe_of"]

_SHORT_KEY, _WHOLE_KEY = 16, 64


@dataclass(frozen=True)
class Made:
    """An artifact that exists, sealed and published."""

    output: str
    """Logical name."""
    path: str
    """Prefix in the store."""
    manifest: Manifest
    """What its seal says."""
    reused: bool
    """Whether it was there before this run asked for it."""

    @property
    def entry(self) -> Entry:
        """What a commit says about it."""
        manifest = self.manifest
        return Entry(self.path, manifest.encoding_type, manifest.key, manifest.digest, manifest.content)

    @property
    def n_bytes(self) -> int:
        """Bytes of its files, the seal left out."""
        return self.manifest.size


def recipe_of(step: Step, view: View) -> Recipe:
    """Return the recipe of a step whose inputs are all in the view."""
    return Recipe(step.name, step.version, step.params(), step.inputs(view))


def find(store: Store, output: str, recipe: Recipe) -> Made | None:
    """Return the artifact of a recipe if it was published, by whomever and whenever."""
    for path in _places(output, recipe):
        if not store.exists(f"{path}/{SEAL}"):
            return None
        manifest = load_manifest(store, path)
        if manifest.key == recipe.key:
            return Made(output, path, manifest, reused=True)
    return None


def make(step: Step, view: View, settings: Settings, progress: Progress) -> Made:
    """Build, seal and publish the artifact of a step; one that exists already is returned instead."""
    recipe = recipe_of(step, view)
    found = find(view.store, step.output, recipe)
    if found:
        return found
    with progress.task(step.output), view.store.scratch() as directory:
        begin = time.perf_counter()
        built = step.build(Work(directory, view, _within(step.output, progress), settings))
        manifest = seal(
            directory,
            encoding_type=step.encoding_type,
            encoding_version=step.encoding_version,
            step=recipe.step,
            step_version=recipe.version,
            params=recipe.params,
            inputs=recipe.inputs,
            key=recipe.key,
            attributes=built.attributes,
            content=built.content,
            seconds=time.perf_counter() - begin,
        )
        path = _free_place(view.store, step.output, recipe)
        if view.store.publish(directory, path, seal=SEAL):
            return Made(step.output, path, manifest, reused=False)
    # Another writer was faster. The same recipe gives the same artifact, so theirs serves.
    return find(view.store, step.output, recipe) or make(step, view, settings, progress)


def _places(output: str, recipe: Recipe) -> Mapping[str, int]:
    owner = output.split("/")[1]
    return {f"artifacts/{owner}/{recipe.step}-{recipe.key[:digits]}": digits for digits in (_SHORT_KEY, _WHOLE_KEY)}


def _free_place(store: Store, output: str, recipe: Recipe) -> str:
    """Return the short directory name, or the long one when another recipe's key begins with the same digits."""
    short, long = _places(output, recipe)
    if store.exists(f"{short}/{SEAL}") and load_manifest(store, short).key != recipe.key:
        return long
    return short


def _within(output: str, progress: Progress) -> Progress:
    """Put the artifact's name before the name of each task, because several steps may run at once."""

    def listen(event: Event) -> None:
        name = f"{output}: {event.task}" if event.task else ""
        progress.listener(Event(event.what, name, event.amount, event.total, event.unit, event.text))

    return Progress(listen)
