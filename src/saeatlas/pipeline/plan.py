"""What a run would do, why, and how much memory it may take, before any work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from saeatlas.errors import InternalError, InvalidInput, OverBudget
from saeatlas.format.artifact import SEAL, Manifest, load_manifest
from saeatlas.format.commit import Entry
from saeatlas.pipeline.make import Made, find, recipe_of
from saeatlas.pipeline.recipe import Recipe
from saeatlas.pipeline.step import Step, View
from saeatlas.settings import Settings
from saeatlas.storage.store import Store

__all__ = ["Plan", "PlannedStep", "check_memory", "in_order", "plan", "waits_for"]


@dataclass(frozen=True)
class PlannedStep:
    """What would happen to one artifact."""

    output: str
    """Logical name."""
    step: str
    """Name of the step that makes it."""
    action: Literal["reuse", "run", "maybe"]
    """`maybe`: it depends on what the steps before it give."""
    reason: str
    """Why, in words: 'new', 'current', "parameter 'floor' changed: 0.0 -> 0.5"."""
    key: str
    """Key of its recipe; empty while an input is still to be made."""
    memory: int
    """Bytes it may hold at most; 0 where that cannot be known yet."""


@dataclass(frozen=True)
class Plan:
    """What a run would do, in an order in which it could."""

    steps: tuple[PlannedStep, ...]
    jobs: int
    """Steps at once at most, so that the memory budget holds."""
    memory: int
    """Bytes that the run may hold at most."""

    @property
    def to_run(self) -> tuple[PlannedStep, ...]:
        """Those that would run, or might."""
        return tuple(step for step in self.steps if step.action != "reuse")


def plan(store: Store, entries: Mapping[str, Entry], steps: Sequence[Step], settings: Settings) -> Plan:
    """Say what running `steps` over `entries` would do. Nothing is written.

    Raises
    ------
    OverBudget
        When one step alone needs more than `settings.memory_budget`.
    """
    planned: dict[str, PlannedStep] = {}
    view = View(store, dict(entries))
    for step in in_order(steps):
        waits = [name for name in waits_for(step, steps) if planned[name].action != "reuse"]
        if waits:
            planned[step.output] = _waiting(step, view, waits)
            continue
        planned[step.output], made = _settled(step, view)
        if made:
            view = View(store, {**view.entries, step.output: made.entry})
    todo = [found for found in planned.values() if found.action != "reuse"]
    for found in todo:
        check_memory(found.output, found.memory, settings)
    bounds = sorted((found.memory for found in todo), reverse=True)
    jobs = max(1, min(settings.jobs, len(todo)))
    while jobs > 1 and sum(bounds[:jobs]) > settings.memory_budget:
        jobs -= 1
    return Plan(tuple(planned.values()), jobs, sum(bounds[:jobs]))


def check_memory(output: str, memory: int, settings: Settings) -> None:
    """Raise `OverBudget` when a step needs more bytes than a run may hold."""
    if memory > settings.memory_budget:
        raise OverBudget(
            f"Making '{output}' may need {memory:,} bytes of memory, and the budget is {settings.memory_budget:,}",
            hint="Use smaller shards, or raise the budget: SAEATLAS_MEMORY, in bytes.",
        )


def in_order(steps: Sequence[Step]) -> list[Step]:
    """Sort steps so that each comes after those it waits for, otherwise as given."""
    left = {step.output: step for step in steps}
    if len(left) != len(steps):
        twice = next(step.output for step in steps if left[step.output] is not step)
        raise InvalidInput(f"'{twice}' is asked for twice in one run", hint="Ask for one of them after the other.")
    waits = {step.output: set(waits_for(step, steps)) for step in steps}
    ordered: list[Step] = []
    while left:
        ready = [name for name in left if not waits[name] & left.keys()]
        if not ready:
            raise InternalError(f"Steps wait for each other: {', '.join(sorted(left))}")
        ordered += [left.pop(name) for name in ready]
    return ordered


def waits_for(step: Step, steps: Sequence[Step]) -> list[str]:
    """Return the outputs of `steps` that `step` must wait for."""
    patterns = step.after()
    return [
        other.output
        for other in steps
        if other.output != step.output and any(fnmatchcase(other.output, pattern) for pattern in patterns)
    ]


def _waiting(step: Step, view: View, waits: list[str]) -> PlannedStep:
    memory = step.memory(view)
    more = f" and {len(waits) - 1} more" if len(waits) > 1 else ""
    if step.output in view.entries:
        reason = f"'{waits[0]}'{more} may change"
        return PlannedStep(step.output, step.name, "maybe", reason, "", memory)
    return PlannedStep(step.output, step.name, "run", "new", "", memory)


def _settled(step: Step, view: View) -> tuple[PlannedStep, Made | None]:
    recipe = recipe_of(step, view)
    memory = step.memory(view)
    entry = view.entries.get(step.output)
    made = find(view.store, step.output, recipe)
    if made and entry and entry.key == recipe.key:
        return PlannedStep(step.output, step.name, "reuse", "current", recipe.key, memory), made
    if made:
        return PlannedStep(step.output, step.name, "reuse", "made before", recipe.key, memory), made
    return PlannedStep(step.output, step.name, "run", _reason(view.store, entry, recipe), recipe.key, memory), None


def _reason(store: Store, entry: Entry | None, recipe: Recipe) -> str:
    if entry is None:
        return "new"
    if not store.exists(f"{entry.path}/{SEAL}"):
        return f"missing: '{entry.path}'"
    return "; ".join(_differences(load_manifest(store, entry.path), recipe)) or f"missing: '{entry.path}'"


def _differences(before: Manifest, recipe: Recipe) -> list[str]:
    if before.step != recipe.step:
        return [f"made by '{before.step}' before"]
    found = []
    if before.step_version != recipe.version:
        found.append(f"version {before.step_version} -> {recipe.version}")
    for name in sorted({*before.params, *recipe.params}):
        old, new = before.params.get(name), recipe.params.get(name)
        if old != new:
            found.append(f"parameter '{name}' changed: {_short(old)} -> {_short(new)}")
    names = sorted({*before.inputs, *recipe.inputs})
    changed = [name for name in names if before.inputs.get(name) != recipe.inputs.get(name)]
    return found + [f"input '{name}' changed" for name in changed]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
