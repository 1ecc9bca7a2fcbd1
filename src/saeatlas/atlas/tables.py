"""Analyses as tables: served while they fit what the commit holds, otherwise absent with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from saeatlas.atlas.currency import inputs_of
from saeatlas.errors import NotFound

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.format.grouped_table import GroupedTable
    from saeatlas.format.matrix import MatrixReader

__all__ = [
    "State",
    "analyses_of",
    "grouped_table",
    "lines_of",
    "matrix_of",
    "no_such",
    "served_rows",
    "state_of",
    "table_of",
]


@dataclass(frozen=True)
class State:
    """Whether an analysis can be served."""

    word: Literal["current", "stale", "absent"]
    """`stale`: it was made from something else than the commit holds now."""
    reason: str
    """A sentence for a person; empty when current."""
    params: Mapping[str, Any]
    """The parameters that it was made with; empty when absent."""

    @property
    def is_current(self) -> bool:
        """Whether its inputs are what the commit holds."""
        return self.word == "current"


def analyses_of(sae: SAE) -> list[str]:
    """Return the names of the analyses that the commit lists for an SAE, current or not."""
    prefix = f"sae/{sae.name}/"
    entries = sae.atlas.entries
    return sorted(
        name.removeprefix(prefix)
        for name in entries
        if name.startswith(prefix) and entries[name].encoding_type == "table"
    )


def state_of(sae: SAE, analysis: str) -> State:
    """Compare the inputs in an analysis' manifest with those that it would have now."""
    # An atlas stays at its commit, so the answer never changes.
    if analysis not in sae.states:
        sae.states[analysis] = _compare(sae, analysis)
    return sae.states[analysis]


def _compare(sae: SAE, analysis: str) -> State:
    logical = f"sae/{sae.name}/{analysis}"
    if logical not in sae.atlas.entries:
        return State(
            "absent",
            f"Analysis '{analysis}' has not been computed for SAE '{sae.name}': run 'saeatlas analyze {analysis}'",
            {},
        )
    manifest = sae.atlas.manifest(logical)
    try:
        today = inputs_of(sae.atlas.store, sae.atlas.entries, sae.name, manifest.inputs)
    except NotFound as gone:
        changed = [gone.message]
    else:
        changed = [f"other {need}" for need in sorted(manifest.inputs) if manifest.inputs[need] != today[need]]
    if not changed:
        return State("current", "", manifest.params)
    return State(
        "stale",
        f"Analysis '{analysis}' of SAE '{sae.name}' was made from {' and '.join(changed)}: "
        f"run 'saeatlas analyze {analysis}' again",
        manifest.params,
    )


def table_of(sae: SAE, analysis: str, name: str = "data") -> pa.Table | None:
    """Return a table of a current analysis, None otherwise; `NotFound` when the analysis has no table `name`."""
    from saeatlas.format.table import read_table

    if not state_of(sae, analysis).is_current:
        return None
    logical = f"sae/{sae.name}/{analysis}"
    return read_table(sae.atlas.store, sae.atlas.entries[logical].path, name)


def matrix_of(sae: SAE, analysis: str, name: str) -> MatrixReader | None:
    """Return a matrix of a current analysis, None otherwise; `NotFound` when the analysis has no matrix `name`."""
    from saeatlas.format.matrix import MatrixReader

    if not state_of(sae, analysis).is_current:
        return None
    return MatrixReader(sae.atlas.store, sae.atlas.entries[f"sae/{sae.name}/{analysis}"].path, name)


def no_such(what: str, sae: SAE, name: str, known: Iterable[str], why: str) -> NotFound:
    """Return the error for something of an SAE that is not there now; it lists what there is, and says why."""
    return NotFound(
        f"SAE '{sae.name}' has no {what} '{name:.100}'{': ' if why else ''}{why}",
        hint=f"Known: {', '.join(known) or 'none'}",
    )


def served_rows(
    sae: SAE,
    analysis: str,
    feature: int,
    params: Mapping[str, object],
    *,
    at_least: Mapping[str, int] = MappingProxyType({}),
) -> pa.Table | None:
    """Return the lines of one feature, or None when the analysis cannot answer.

    Parameters
    ----------
    sae, analysis, feature
        Whose lines.
    params
        Parameters that must have been exactly these; one that the analysis does not have is as wanted.
    at_least
        Parameters that must have been at least these.
    """
    state = state_of(sae, analysis)
    if not state.is_current or any(state.params.get(name, value) != value for name, value in params.items()):
        return None
    if any(state.params.get(name, 0) < value for name, value in at_least.items()):
        return None
    return lines_of(sae, analysis, feature)


def lines_of(
    sae: SAE,
    analysis: str,
    feature: int,
    table: str = "data",
    columns: Sequence[str] | None = None,
    *,
    below: tuple[str, int] | None = None,
) -> pa.Table:
    """Return the lines of one feature in a table of an analysis that the commit lists, whether current or not.

    Parameters
    ----------
    sae, analysis, feature, table
        Whose lines, and of which table.
    columns
        Columns to return; None for all.
    below
        A column of whole numbers, and a bound: only lines below it.
    """
    return grouped_table(sae, analysis, table).lines(feature, columns, below)


def grouped_table(sae: SAE, analysis: str, table: str = "data") -> GroupedTable:
    """Return a table of an analysis that the commit lists, to be read by feature."""
    from saeatlas.format.grouped_table import GroupedTable

    name = f"{analysis}/{table}"
    if name not in sae.tables:
        path = sae.atlas.entries[f"sae/{sae.name}/{analysis}"].path
        sae.tables[name] = GroupedTable(sae.atlas.store, path, table, sae.kept_groups)
    return sae.tables[name]
