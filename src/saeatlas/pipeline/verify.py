"""Check an atlas against what it says of itself, and name every file that differs."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saeatlas.errors import NotFound, SaeatlasError
from saeatlas.format.artifact import SEAL, Manifest, load_manifest, verify_artifact
from saeatlas.format.commit import EMPTY, Commit, Entry, commit_key, list_commits, load_commit
from saeatlas.format.version import ATLAS, read_atlas
from saeatlas.pipeline.verify_labels import check_labels
from saeatlas.progress import SILENT, Progress
from saeatlas.storage.store import Store

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas

__all__ = ["Finding", "VerifyReport", "verify"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    path: str
    """Key of the file in the store."""
    kind: str
    """Such as 'missing-file', 'wrong-digest', 'broken-commit' or 'wrong-content'."""
    message: str
    """A sentence."""


@dataclass(frozen=True)
class VerifyReport:
    """What was looked at, and what is wrong."""

    findings: tuple[Finding, ...]
    """By path; empty when all is well."""
    commits: int
    artifacts: int
    files: int
    bytes: int
    deep: bool
    """Whether every byte was hashed and every segment read."""
    notes: tuple[Finding, ...] = ()
    """What is worth knowing and no damage: what a killed writer of labels left, labels of an SAE that is gone."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


@dataclass(frozen=True)
class _Checked:
    findings: list[Finding]
    files: int = 0
    bytes: int = 0


def verify(atlas: Atlas | Store, *, deep: bool = False, jobs: int = 1, progress: Progress = SILENT) -> VerifyReport:
    """Check the atlas document, every kept commit, every artifact that one of them lists, and all labels.

    Damage is reported, never raised. An artifact that gc of another process deletes meanwhile, together with
    the last commit that listed it, is not missed.

    Parameters
    ----------
    deep
        Also hash every file, and check that both orientations of every segment hold the same entries.
    jobs
        Artifacts at once; each may hold a segment in memory when `deep`.
    """
    from saeatlas.pipeline.importing import store_of

    store = store_of(atlas)
    findings = _check_atlas(store)
    commits, broken = _check_commits(store)
    findings += broken
    listed: dict[str, dict[str, Entry]] = {}
    for commit in commits:
        for entry in commit.entries.values():
            listed.setdefault(entry.path, {})[f"{commit_key(commit.number)}"] = entry
    files = size = 0
    with progress.task("Verify", total=len(listed), unit="artifacts") as task, ThreadPoolExecutor(jobs) as pool:

        def check(path: str) -> _Checked:
            return _check_artifact(store, path, listed[path], progress if jobs == 1 else SILENT, deep=deep)

        for checked in pool.map(check, sorted(listed)):
            findings += checked.findings
            files, size = files + checked.files, size + checked.bytes
            task.advance(1)
    if findings:
        kept = set(list_commits(store))
        alive = {path for path, by in listed.items() if any(_number(key) in kept for key in by)}
        findings = [finding for finding in findings if _is_alive(finding.path, listed, alive)]
    labels = check_labels(store, commits[-1] if commits else EMPTY)
    files, size = files + labels.files, size + labels.bytes
    return VerifyReport(
        _ordered([*findings, *(Finding(*one) for one in labels.findings)]),
        len(commits),
        len(listed),
        files,
        size,
        deep,
        _ordered(Finding(*one) for one in labels.notes),
    )


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: (finding.path, finding.message)))


def _check_atlas(store: Store) -> list[Finding]:
    try:
        read_atlas(store)
    except SaeatlasError as error:
        return [Finding(ATLAS, error.kind, error.message)]
    return []


def _check_commits(store: Store) -> tuple[list[Commit], list[Finding]]:
    """Read every kept commit; each must name the one before it as its parent."""
    commits: list[Commit] = []
    findings: list[Finding] = []
    numbers = list_commits(store)
    for number in numbers:
        key = commit_key(number)
        try:
            commit = load_commit(store, number)
        except NotFound:
            continue
        except SaeatlasError as error:
            findings.append(Finding(key, error.kind, error.message))
            continue
        if commit.parent != number - 1:
            findings.append(Finding(key, "broken-commit", f"'{key}' follows {commit.parent}, expected {number - 1}"))
        commits.append(commit)
    # gc deletes the oldest first, so a commit that is missing between two others was not deleted by it.
    gaps = sorted({*range(numbers[0], numbers[-1])} - {*numbers}) if numbers else []
    findings += [Finding(commit_key(n), "missing-file", f"'{commit_key(n)}' is missing") for n in gaps]
    return commits, findings


def _check_artifact(store: Store, path: str, listed: dict[str, Entry], progress: Progress, *, deep: bool) -> _Checked:
    try:
        problems = verify_artifact(store, path, deep=deep, progress=progress)
    except SaeatlasError as error:
        # A file that cannot be read, or that went while it was looked at, must not hide what else is wrong.
        return _Checked([Finding(path, error.kind, error.message)])
    findings = [Finding(problem.path, problem.kind, problem.message) for problem in problems]
    try:
        manifest = load_manifest(store, path)
    except SaeatlasError as error:
        known = [Finding(f"{path}/{SEAL}", error.kind, error.message)]
        return _Checked(findings or known)
    for key, entry in listed.items():
        found = (manifest.encoding_type, manifest.key, manifest.digest, manifest.content)
        if found != (entry.encoding_type, entry.key, entry.digest, entry.content):
            message = f"'{path}' is not the artifact that '{key}' lists: its digest is {manifest.digest}"
            findings.append(Finding(f"{path}/{SEAL}", "digest-mismatch", message))
    if deep and not findings and manifest.encoding_type == "segment":
        findings += _check_segment(store, path, manifest)
    return _Checked(findings, len(manifest.files) + 1, manifest.size)


def _check_segment(store: Store, path: str, manifest: Manifest) -> list[Finding]:
    from saeatlas.format.segment_check import check_segment
    from saeatlas.format.segment_info import SegmentInfo
    from saeatlas.format.segment_reader import SegmentReader

    try:
        wrong = check_segment(SegmentReader(store, path, SegmentInfo.from_json(manifest.attributes)))
    except SaeatlasError as error:
        return [Finding(path, error.kind, error.message)]
    return [Finding(path, "wrong-content", message) for message in wrong]


def _number(key: str) -> int:
    return int(key.rpartition("/")[2].removesuffix(".json"))


def _is_alive(path: str, listed: Iterable[str], alive: set[str]) -> bool:
    """Whether a finding is about a commit, the atlas, or an artifact that a commit still lists."""
    owners = [prefix for prefix in listed if path == prefix or path.startswith(f"{prefix}/")]
    return not owners or any(owner in alive for owner in owners)
