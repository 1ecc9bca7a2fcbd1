"""The steps of the demo, timed: the same calls that the commands `import`, `build` and `verify` make."""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saeatlas.cli.render.numbers import bytes_text, count, number, seconds_text
from saeatlas.cli.render.screen import write
from saeatlas.cli.render.tables import Column, write_facts, write_heading, write_table
from saeatlas.errors import FormatError

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.demo.source import DemoSource
    from saeatlas.demo.training import Recipe
    from saeatlas.progress import Progress
    from saeatlas.settings import Settings

__all__ = ["DemoRun"]


@dataclass
class DemoRun:
    """One run of the demo and what it has to report."""

    directory: Path
    """Where the source and the atlas go."""
    settings: Settings
    """Limits of this machine."""
    progress: Progress
    """Where to say how far it is."""
    steps: list[tuple[str, str, float, str]] = dataclasses.field(default_factory=list)
    """Name, what came of it, seconds, size."""
    facts: dict[str, object] = dataclasses.field(default_factory=dict)
    """Figures of the SAE."""
    commands: list[str] = dataclasses.field(default_factory=list)
    """Command lines that do the same."""

    def make(self, n_tokens: int, recipe: Recipe) -> Atlas:
        """Make whatever is missing and return the atlas."""
        from saeatlas.demo.source import make_source

        with self._step("make the source") as said:
            source = make_source(self.directory / "source", n_tokens=n_tokens, recipe=recipe, progress=self.progress)
            made = 4 - len(source.reused)
            said["what"] = f"{made} of 4 parts made" if made else "made before"
            files = [source.activations, source.metadata, source.tokens]
            said["size"] = bytes_text(sum(path.stat().st_size for path in files))
        self.facts = _figures(source)
        self._import(source)
        self._import_weights(source)
        self._analyze()
        self._verify()
        return self._atlas()

    def write_steps(self) -> None:
        """Write what was done, how long it took, how big it is, and how good the SAE is."""
        write_heading("Done")
        columns = [Column("step", is_text=True), Column("outcome", is_text=True)]
        write_table([*columns, Column("time", seconds_text), Column("size")], self.steps)
        write_heading("The SAE, as measured")
        write_facts(self.facts)
        write_heading("The same by hand")
        for line in self.commands:
            write(f"  {line}")

    @property
    def _place(self) -> Path:
        return self.directory / "demo.atlas"

    def _atlas(self) -> Atlas:
        from saeatlas.atlas.atlas import open_atlas

        return open_atlas(self._place)

    @contextmanager
    def _step(self, name: str) -> Iterator[dict[str, str]]:
        said = {"what": "", "size": ""}
        begin = time.perf_counter()
        yield said
        self.steps.append((name, said["what"], round(time.perf_counter() - begin, 2), said["size"]))

    def _import(self, source: DemoSource) -> None:
        from saeatlas.cli.target import open_or_create
        from saeatlas.pipeline.importing import import_source
        from saeatlas.pipeline.registries import importers

        identity = source.identity
        fields: dict[str, Any] = {
            "metadata": str(source.metadata),
            "tokens": str(source.tokens),
            "sae": identity.name,
            "corpus": source.corpus,
            "n_features": identity.width,
        }
        facts = {name: fact for name, fact in identity.to_json().items() if fact is not None}
        plugin = importers()["h5-topk"]
        known = {field.name for field in dataclasses.fields(plugin)} - {"sae"}
        fields |= {name: fact for name, fact in facts.items() if name in known}
        importer = plugin(str(source.activations), **fields)
        with self._step("import") as said:
            atlas = open_or_create(str(self._place), lambda: None)
            report = import_source(atlas, importer, settings=self.settings, progress=self.progress, replace=True)
            outcome = f"{count(report.rows)} rows, {count(report.listed)} values"
            said["what"] = outcome if report.built else f"{outcome}, imported before"
            said["size"] = bytes_text(report.bytes)
        self.commands.append(_command(str(source.activations), fields, self._place))

    def _import_weights(self, source: DemoSource) -> None:
        from saeatlas.pipeline.registries import importers
        from saeatlas.pipeline.sae_importing import import_parts

        name = source.identity.name
        importer = importers()["sae-weights"](str(source.sae), sae=name)
        with self._step("import weights") as said:
            report = import_parts(self._atlas(), importer, settings=self.settings, progress=self.progress, replace=True)
            is_new = "made" in report.parts.values()
            said["what"] = f"{count(report.n_features)} features" + ("" if is_new else ", imported before")
            said["size"] = bytes_text(report.bytes)
        words = ["saeatlas", "import", "sae-weights", str(source.sae), "--sae", name, "--atlas", str(self._place)]
        self.commands.append(shlex.join(words))

    def _analyze(self) -> None:
        from saeatlas.cli.render.outcomes import say_outcome
        from saeatlas.project.build import build_project
        from saeatlas.project.load import standard_project

        with self._step("analyze") as said:
            outcomes = build_project(self._atlas().store, standard_project(), self.settings, self.progress, say_outcome)
            failed = [outcome.error for outcome in outcomes if outcome.error]
            if failed:
                raise failed[0]
            made = sum(outcome.action == "made" for outcome in outcomes)
            said["what"] = f"{made} of {len(outcomes)} analyses computed" if made else "computed before"
            said["size"] = bytes_text(_size_of_tables(self._atlas()))
        self.commands.append(shlex.join(["saeatlas", "build", "--atlas", str(self._place)]))

    def _verify(self) -> None:
        from saeatlas.pipeline.verify import verify

        with self._step("verify") as said:
            report = verify(self._atlas(), deep=True, progress=self.progress)
            said["what"] = f"every byte of {count(report.files)} files is as recorded"
            said["size"] = bytes_text(report.bytes)
        if report.findings:
            raise FormatError(
                f"'{self._place}' is damaged: {report.findings[0].message}",
                hint="Delete the directory and run the demo again.",
                kind="corrupt-artifact",
            )
        self.commands.append(shlex.join(["saeatlas", "verify", "--deep", "--atlas", str(self._place)]))


def _size_of_tables(atlas: Atlas) -> int:
    return sum(atlas.manifest(name).size for name, entry in atlas.entries.items() if entry.encoding_type == "table")


def _figures(source: DemoSource) -> dict[str, object]:
    found = source.figures
    quality = found.quality
    return {
        "model": source.identity.model,
        "hook": source.identity.hook,
        "tokens": f"{count(found.n_tokens)} of {count(found.n_documents)} docstrings, Python {found.python}",
        "features": f"{count(found.n_features)}, {found.k} listed for each token",
        "unexplained variance": f"{number(quality.fvu)} on {count(quality.n_held_out_tokens)} held-out tokens",
        "active on a token": number(quality.l0),
        "dead features": f"{quality.dead_held_out} on held-out tokens, {quality.dead} on all",
        "seconds when made": ", ".join(f"{name} {seconds:.1f}" for name, seconds in found.seconds.items()),
    }


def _command(source: str, fields: dict[str, Any], atlas: Path) -> str:
    """Write the import as a command line."""
    words = ["saeatlas", "import", "h5-topk", source]
    for name, value in fields.items():
        flag = name.replace("_", "-")
        words += [f"--{flag}" if value else f"--no-{flag}"] if isinstance(value, bool) else [f"--{flag}", str(value)]
    return shlex.join([*words, "--atlas", str(atlas)])
