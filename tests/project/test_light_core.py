"""Without any extra, the standard build leaves out what needs one, names it, and computes all the rest."""

from __future__ import annotations

import json
import subprocess
import sys

from saeatlas.pipeline.registries import analyses
from saeatlas.project.load import STANDARD_ANALYSES

BLOCKED = (
    "scipy",
    "sklearn",
    "umap",
    "pynndescent",
    "matplotlib",
    "huggingface_hub",
    "networkx",
    "torch",
    "tokenizers",
)
PROGRAM = f"""
import importlib.util, json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)
        return None

sys.meta_path.insert(0, Blocked())
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {BLOCKED!r} else found(name, package)

from saeatlas.progress import SILENT
from saeatlas.project.build import build_project
from saeatlas.project.load import standard_project
from saeatlas.settings import Settings
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

atlas = make_atlas(MemoryStore(), n_rows=120, n_features=16, k=4, parts=True)
outcomes = build_project(atlas.store, standard_project(), Settings(), SILENT, lambda _: None)
print(json.dumps([[one.name.partition(" ")[0], one.action, one.reason] for one in outcomes]))
"""


def test_core_alone_computes_all_that_needs_no_extra() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    outcomes = {name: (action, reason) for name, action, reason in json.loads(done.stdout)}
    registry = analyses()
    heavy = {name for name in STANDARD_ANALYSES if registry[name].libraries}  # type: ignore[attr-defined]
    reads_heavy = {"example-similarity", "inter-feature-similarity"}
    assert {name for name, (action, _) in outcomes.items() if action == "left out"} == heavy | reads_heavy
    assert all("pip install 'saeatlas[analyses]'" in outcomes[name][1] for name in heavy | reads_heavy)
    assert {name for name, (action, _) in outcomes.items() if action == "made"} == set(
        STANDARD_ANALYSES
    ) - heavy - reads_heavy
