"""What a project file says, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from saeatlas.analyses.clusters import Clusters
from saeatlas.analyses.histogram import Histogram
from saeatlas.analyses.stats import Stats
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.pipeline.registries import analyses
from saeatlas.project.load import STANDARD_ANALYSES, load_project, standard_project


def test_plugins_are_made_with_the_fields_of_the_file(home: Path) -> None:
    project = load_project(home / "atlas.toml")
    assert [chosen.analysis for chosen in project.analyses] == [Stats(floor=0.5), Histogram()]
    (source,) = project.sources
    assert source.sae == "small"


def test_paths_are_relative_to_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    project = load_project(home / "atlas.toml")
    assert project.atlas == str(home / "small.atlas")
    assert project.sources[0].source == str(home / "a.h5")


def test_patterns_choose_saes(home: Path) -> None:
    stats, histogram = load_project(home / "atlas.toml").analyses
    assert stats.fits("small")
    assert not histogram.fits("small")
    assert histogram.fits("other-3")


def test_standard_project_has_every_analysis_that_needs_no_parameter() -> None:
    names = set(analyses())
    assert set(STANDARD_ANALYSES) <= names
    assert len(standard_project().analyses) == len(STANDARD_ANALYSES)
    assert names - set(STANDARD_ANALYSES) == {"cross-sae", "logit-effects", "token-families"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("atlas = ", "is not TOML"),
        ("", "'atlas' must say where"),
        ("atlas = 3", "'atlas' must say where"),
        ('atlas = "a"\nsources = []', "unknown member 'sources'"),
        ('atlas = "a"\nsource = 3', "'source' must be a list of tables"),
        ('atlas = "a"\n[[source]]\nsae = "x"', "source 1 must say 'importer'"),
        ('atlas = "a"\n[[source]]\nimporter = "h5-topk"\nsae = "x"', "'source' of 'h5-topk'"),
        ('atlas = "a"\n[analyses]\nstats = 3', "one table for each analysis"),
        ('atlas = "a"\n[analyses.stats]\nflor = 1', "has no field 'flor'"),
        ('atlas = "a"\n[analyses.stats]\nfloor = "much"', "'floor' of 'stats'"),
        ('atlas = "a"\n[analyses.stats]\nfloor = nan', "finite"),
        ('atlas = "a"\n[analyses.stats]\nfloor = "0.5"', "'floor' of 'stats'"),
        ('atlas = "a"\n[analyses.stats]\nfloor = true', "'floor' of 'stats'"),
        ('atlas = "a"\n[analyses.neighbors]\nk = "12"', "'k' of 'neighbors'"),
        ('atlas = "a"\n[analyses.neighbors]\nk = 12.0', "'k' of 'neighbors'"),
        ('atlas = "a"\n[analyses.neighbors]\nk = true', "'k' of 'neighbors'"),
        ('atlas = "a"\n[analyses.neighbors]\nk = 0', "analyses.neighbors: 'k' must be a whole number from 1"),
        ('atlas = "a"\n[analyses.clusters]\ncuts = [3, "5"]', "'cuts.1' of 'clusters'"),
        ('atlas = "a"\n[[source]]\nimporter = "h5-topk"\nsource = "a"\nsae = "x"\nbos = 1', "'bos' of 'h5-topk'"),
        ('atlas = "a"\n[analyses.stats]\nsaes = "x"', "'saes' of analyses.stats must be a list"),
        ('atlas = "a"\n[[export]]\nexporter = "feature-map"', "must say 'to'"),
    ],
)
def test_wrong_file_says_where(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "atlas.toml").write_text(text)
    with pytest.raises(InvalidInput) as error:
        load_project(tmp_path / "atlas.toml")
    assert words in str(error.value)


def test_whole_number_does_for_a_measured_one_and_a_list_for_several(tmp_path: Path) -> None:
    (tmp_path / "atlas.toml").write_text('atlas = "a"\n[analyses.stats]\nfloor = 1\n[analyses.clusters]\ncuts = [3, 5]')
    stats, clusters = load_project(tmp_path / "atlas.toml").analyses
    assert (stats.analysis, clusters.analysis) == (Stats(floor=1.0), Clusters(cuts=(3, 5)))


def test_unknown_plugin_lists_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "atlas.toml").write_text('atlas = "a"\n[analyses.statistics]')
    with pytest.raises(NotFound) as error:
        load_project(tmp_path / "atlas.toml")
    assert "stats" in error.value.hint


def test_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no project file"):
        load_project(tmp_path / "atlas.toml")


def test_binary_file_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "atlas.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="is not TOML"):
        load_project(tmp_path / "atlas.toml")
