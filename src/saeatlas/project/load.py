"""The project file `atlas.toml`: sources, analyses and exports by name, checked before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from saeatlas.errors import InvalidInput, NotFound, SourceError
from saeatlas.pipeline.analysis import Analysis
from saeatlas.pipeline.exporter import Exporter
from saeatlas.pipeline.importer import Importer
from saeatlas.pipeline.recipe import make_plugin
from saeatlas.pipeline.registries import analyses, exporters, importers
from saeatlas.pipeline.sae_importer import SaeImporter
from saeatlas.registry import Registry

__all__ = ["PROJECT_FILE", "STANDARD_ANALYSES", "Chosen", "Export", "Project", "load_project", "standard_project"]

PROJECT_FILE = "atlas.toml"
STANDARD_ANALYSES = (
    "stats",
    "histogram",
    "examples",
    "top-tokens",
    "metadata-association",
    "token-profile",
    "coactivation",
    "report-card",
    "weights",
    "neighbors",
    "umap",
    "clusters",
    "pagerank",
    "example-embeddings",
    "example-similarity",
    "inter-feature-similarity",
    "coherence",
    "search",
    "search-documents",
)
"""What is computed where no project file says otherwise: all that need no parameter."""
_EVERY = ("*",)
_MEMBERS = ("atlas", "source", "analyses", "export")


@dataclass(frozen=True)
class Chosen:
    """An analysis, and whose."""

    analysis: Analysis
    saes: tuple[str, ...] = _EVERY
    """Names of SAEs, or patterns such as 'gemma-*'."""

    def fits(self, sae: str) -> bool:
        """Whether it is wanted for an SAE."""
        return any(fnmatchcase(sae, pattern) for pattern in self.saes)


@dataclass(frozen=True)
class Export:
    """An exporter, whose data it writes, and where."""

    exporter: Exporter
    name: str
    """Name of the exporter."""
    to: Path
    saes: tuple[str, ...] = _EVERY

    def fits(self, sae: str) -> bool:
        """Whether an SAE is exported."""
        return any(fnmatchcase(sae, pattern) for pattern in self.saes)


@dataclass(frozen=True)
class Project:
    """What an atlas should hold."""

    atlas: str
    """Where it is; empty where the surface decides."""
    sources: tuple[Importer | SaeImporter, ...]
    """Imported in this order; a sweep over layers is one source."""
    analyses: tuple[Chosen, ...]
    exports: tuple[Export, ...]
    is_standard: bool = False
    """Whether nobody asked for these analyses by name, so that one that cannot run here is left out and named."""


def standard_project() -> Project:
    """Return the project of an atlas that has no file: the standard analyses of all SAEs."""
    registry = analyses()
    return Project("", (), tuple(Chosen(registry[name]()) for name in STANDARD_ANALYSES), (), is_standard=True)


def load_project(path: Path) -> Project:
    """Read a project file; relative paths in it are relative to its directory.

    Raises
    ------
    NotFound
        When there is no such file, or it names a plug-in that is not installed.
    InvalidInput
        When it is not TOML, or a member or value does not fit; the message names the place.
    """
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"There is no project file at '{path}'", hint=f"Write '{PROJECT_FILE}', or name it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"'{path}' is not TOML: {error}", hint="Correct the line that is named.") from error
    except OSError as error:
        raise SourceError(f"'{path}' cannot be read: {error.strerror or error}") from error
    return _Reader(path).project(record)


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._home = path.parent

    def project(self, record: Mapping[str, Any]) -> Project:
        self._check_members("the file", record, _MEMBERS)
        atlas = record.get("atlas", "")
        if not isinstance(atlas, str) or not atlas:
            raise self._wrong("'atlas' must say where the atlas is", 'atlas = "gemma.atlas"')
        sources = [self._source(number, table) for number, table in enumerate(self._tables(record, "source"))]
        return Project(
            atlas if "://" in atlas else str(self._home / Path(atlas).expanduser()),
            tuple(sources),
            tuple(self._analysis(name, table) for name, table in self._analyses(record).items()),
            tuple(self._export(number, table) for number, table in enumerate(self._tables(record, "export"))),
        )

    def _tables(self, record: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
        found = record.get(name, [])
        if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
            raise self._wrong(f"'{name}' must be a list of tables", f"[[{name}]]")
        return found

    def _analyses(self, record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        found = record.get("analyses", {})
        if not isinstance(found, dict) or not all(isinstance(table, dict) for table in found.values()):
            raise self._wrong("'analyses' must hold one table for each analysis", "[analyses.neighbors]")
        return found

    def _source(self, number: int, table: Mapping[str, Any]) -> Importer | SaeImporter:
        plugin, fields = self._plugin(f"source {number + 1}", "importer", importers(), table)
        made = make_plugin(plugin, self._with_paths(plugin, fields), self._place(f"source {number + 1}"))
        assert isinstance(made, Importer | SaeImporter)
        return made

    def _analysis(self, name: str, table: Mapping[str, Any]) -> Chosen:
        plugin = analyses()[name]
        fields = {member: value for member, value in table.items() if member != "saes"}
        made = make_plugin(plugin, self._with_paths(plugin, fields), self._place(f"analyses.{name}"))
        assert isinstance(made, Analysis)
        return Chosen(made, self._saes(f"analyses.{name}", table))

    def _export(self, number: int, table: Mapping[str, Any]) -> Export:
        where = f"export {number + 1}"
        plugin, fields = self._plugin(where, "exporter", exporters(), table)
        to = fields.pop("to", None)
        if not isinstance(to, str) or not to:
            raise self._wrong(f"{where} must say 'to', the directory to write to", 'to = "out"')
        saes = self._saes(where, table)
        fields.pop("saes", None)
        made = make_plugin(plugin, fields, self._place(where))
        assert isinstance(made, Exporter)
        return Export(made, str(table["exporter"]), self._home / Path(to).expanduser(), saes)

    def _plugin(
        self, where: str, kind: str, registry: Registry, table: Mapping[str, Any]
    ) -> tuple[type, dict[str, Any]]:
        name = table.get(kind)
        if not isinstance(name, str):
            raise self._wrong(f"{where} must say '{kind}'", f"Known: {', '.join(registry)}")
        return registry[name], {member: value for member, value in table.items() if member != kind}

    def _saes(self, where: str, table: Mapping[str, Any]) -> tuple[str, ...]:
        found = table.get("saes", list(_EVERY))
        if not isinstance(found, list) or not found or not all(isinstance(name, str) for name in found):
            raise self._wrong(f"'saes' of {where} must be a list of names or patterns", 'saes = ["gemma-*"]')
        return tuple(found)

    def _with_paths(self, plugin: type, fields: dict[str, Any]) -> dict[str, Any]:
        """Make the paths among the fields independent of the directory in which the program runs.

        Beside the source, a field may also hold a name, such as that of a tokenizer: it is a path if a file is there.
        """
        found = dict(fields)
        for name in getattr(plugin, "paths", frozenset()):
            value = fields.get(name)
            if isinstance(value, str) and value and "://" not in value:
                path = self._home / Path(value).expanduser()
                if name == "source" or path.exists():
                    found[name] = str(path)
        return found

    def _check_members(self, what: str, record: Mapping[str, Any], known: tuple[str, ...]) -> None:
        unknown = sorted(set(record) - set(known))
        if unknown:
            raise self._wrong(f"{what} has an unknown member '{unknown[0]}'", f"Known: {', '.join(known)}")

    def _place(self, where: str) -> str:
        return f"'{self._path}', {where}"

    def _wrong(self, what: str, hint: str) -> InvalidInput:
        return InvalidInput(f"'{self._path}': {what}", hint=hint)
