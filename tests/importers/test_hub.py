"""Sources on the hub: which file is meant, that it is whole, and what a hub that misbehaves does to it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from saeatlas.errors import InvalidInput, MissingExtra, SourceError
from saeatlas.importers._hub import available_layers, fetch_source, locate_source, missing_bytes, resolve_source
from saeatlas.importers._hub_files import Hub
from saeatlas.progress import Event, Progress
from saeatlas.testing.local_hub import HubRepository, local_hub
from saeatlas.testing.local_server import Fault, LocalServer, Reply, Request

REPO = "google/gemma-scope-2b-pt-res"
WHOLE = "hf://google/gemma-scope-2b-pt-res"


def weights(name: str) -> bytes:
    return hashlib.sha512(name.encode()).digest() * 700


def gemma(layer: int, *l0s: int, width: str = "16k") -> dict[str, bytes]:
    paths = [f"layer_{layer}/width_{width}/average_l0_{l0}/params.npz" for l0 in l0s]
    return {path: weights(path) for path in paths}


def repositories() -> dict[str, HubRepository]:
    scope = {
        **gemma(12, 176, 22, 41, 445, 82),
        **gemma(12, 21, width="65k"),
        **gemma(3, 14, 142, 28, 315, 59),
        **gemma(5, 18),
        "embedding/width_4k/average_l0_6/params.npz": weights("e"),
        "README.md": b"read me",
    }
    folder = {
        f"blocks.{layer}.hook_resid_pre/{name}": f"{layer} {name}".encode() * 9
        for layer in (2, 8)
        for name in ("cfg.json", "sae_weights.safetensors", "notes.txt", "deep/more.safetensors")
    }
    return {
        REPO: HubRepository(scope),
        "google/gemma-scope-9b-pt-res": HubRepository(gemma(0, 30, 129)),
        "some/saes": HubRepository(folder, revisions=("main", "v1", "refs/pr/1")),
        "some/gated": HubRepository({"a/cfg.json": b"{}", "a/w.safetensors": b"w" * 99}, gated=True),
    }


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_hub(repositories()) as running:
        yield running


@pytest.fixture
def hub(server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    # The library waits between its own tries; nothing here depends on how long.
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    # It hands over what has arrived in pieces of 10 MB, far above the files of these tests.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1_000)
    return Hub(server.url, tmp_path / "cache", sleep=lambda seconds: None)


def partial_files(hub: Hub) -> list[Path]:
    return sorted(hub.cache.rglob("*.saeatlas.incomplete"))


def test_layer_width_and_l0_choose_one_file_and_nothing_else_is_downloaded(server: LocalServer, hub: Hub) -> None:
    got = resolve_source(WHOLE, layer=12, l0="41", hub=hub)
    assert got.path.read_bytes() == weights("layer_12/width_16k/average_l0_41/params.npz")
    assert got.path.as_posix().endswith("layer_12/width_16k/average_l0_41/params.npz")
    assert got.revision == repositories()[REPO].commit
    assert got.url == f"{WHOLE}/layer_12/width_16k/average_l0_41/params.npz@{got.revision}"
    assert {request.path.partition("resolve/")[2].partition("/")[2] for request in server.asked("/resolve/")} == {
        "layer_12/width_16k/average_l0_41/params.npz"
    }


def test_canonical_l0_is_that_of_the_table(hub: Hub) -> None:
    assert "average_l0_59/" in resolve_source(WHOLE, layer=3, l0="canonical", hub=hub).url
    got = resolve_source(WHOLE, layer=12, l0="canonical", hub=hub)
    assert "average_l0_82/" in got.url
    assert got.notes == ()


def test_unverified_canonical_l0_is_taken_with_a_note(hub: Hub) -> None:
    got = resolve_source("hf://google/gemma-scope-9b-pt-res", layer=0, l0="canonical", hub=hub)
    assert "average_l0_129/" in got.url
    assert "unverified" in got.notes[0]


def test_first_by_name_is_never_taken(server: LocalServer, hub: Hub) -> None:
    with pytest.raises(SourceError) as caught:
        resolve_source(WHOLE, layer=12, hub=hub)
    assert "5 SAEs of width 16k of layer 12" in caught.value.message
    assert caught.value.message.endswith("their L0s: 22, 41, 82, 176, 445")
    assert "The canonical one is 82" in caught.value.hint
    assert server.asked("/resolve/") == []


def test_only_l0_of_a_layer_is_taken(hub: Hub) -> None:
    assert "average_l0_18/" in resolve_source(WHOLE, layer=5, hub=hub).url


def test_path_may_say_layer_width_and_l0(hub: Hub) -> None:
    assert "average_l0_22/" in resolve_source(f"{WHOLE}/layer_12/width_16k", l0="22", hub=hub).url
    assert "width_65k" in resolve_source(f"{WHOLE}/layer_12/width_65k", hub=hub).url
    assert "average_l0_22/" in resolve_source(f"{WHOLE}/layer_12/width_16k/average_l0_22", hub=hub).url
    got = resolve_source(f"{WHOLE}/layer_12/width_16k/average_l0_22/params.npz", hub=hub)
    assert got.path.read_bytes() == weights("layer_12/width_16k/average_l0_22/params.npz")
    assert resolve_source(f"{WHOLE}/embedding", width="4k", hub=hub).path.read_bytes() == weights("e")


@pytest.mark.parametrize(
    ("layer", "width", "l0", "message", "hint"),
    [
        (99, "16k", "canonical", "There is no layer 99", "3,5,12"),
        (None, "16k", "canonical", "several layers", "3,5,12"),
        (12, "32k", "canonical", "no SAE of width '32k' of layer 12", "16k, 65k"),
        (12, "16k", "83", "no SAE with L0 83", "22, 41, 82, 176, 445"),
        (12, "16k", "8e1", "Not an L0: '8e1'", "22, 41, 82, 176, 445"),
        (12, "65k", "canonical", "canonical is not known", "21"),
        (5, "16k", "canonical", "The canonical L0 is 68, and there is no such SAE", "18"),
    ],
)
def test_sae_that_is_not_there_is_refused_with_what_is(
    hub: Hub, layer: int | None, width: str, l0: str, message: str, hint: str
) -> None:
    with pytest.raises((SourceError, InvalidInput)) as caught:
        resolve_source(WHOLE, layer=layer, width=width, l0=l0, hub=hub)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_folder_of_one_sae_comes_with_its_files_and_no_others(server: LocalServer, hub: Hub) -> None:
    got = resolve_source("hf://some/saes/blocks.8.hook_resid_pre@v1", hub=hub)
    assert sorted(path.name for path in got.path.iterdir()) == ["cfg.json", "sae_weights.safetensors"]
    assert (got.path / "cfg.json").read_bytes() == b"8 cfg.json" * 9
    assert server.asked("notes.txt", "HEAD") == []


def test_file_comes_with_the_json_files_beside_it(hub: Hub) -> None:
    got = resolve_source("hf://some/saes/blocks.8.hook_resid_pre/sae_weights.safetensors", hub=hub)
    assert got.path.name == "sae_weights.safetensors"
    assert (got.path.parent / "cfg.json").exists()


def test_layer_stands_where_the_source_says(hub: Hub) -> None:
    source = "hf://some/saes/blocks.{layer}.hook_resid_pre"
    assert (resolve_source(source, layer=2, hub=hub).path / "cfg.json").read_bytes() == b"2 cfg.json" * 9
    assert available_layers(source, hub=hub).layers == (2, 8)
    with pytest.raises(InvalidInput, match="Which layer is meant"):
        resolve_source(source, hub=hub)
    with pytest.raises(SourceError, match="no such file or folder"):
        resolve_source(source, layer=3, hub=hub)


def test_layer_is_refused_where_every_layer_would_be_the_same(hub: Hub) -> None:
    with pytest.raises(InvalidInput, match="one SAE only"):
        resolve_source("hf://some/saes/blocks.8.hook_resid_pre", layer=8, hub=hub)


def test_layers_of_a_repository_are_those_of_the_width_pinned_to_a_commit(hub: Hub) -> None:
    found = available_layers(WHOLE, hub=hub)
    assert found.layers == (3, 5, 12)
    assert found.source == f"{WHOLE}@{repositories()[REPO].commit}"
    assert available_layers(WHOLE, width="65k", hub=hub).layers == (12,)
    assert "average_l0_18/" in resolve_source(found.source, layer=5, hub=hub).url


def test_fingerprint_is_known_before_anything_is_downloaded(server: LocalServer, hub: Hub) -> None:
    one = locate_source(WHOLE, layer=12, l0="41", hub=hub)
    other = locate_source(WHOLE, layer=12, l0="22", hub=hub)
    assert one.fingerprint != other.fingerprint
    assert server.asked("/resolve/") == []
    assert fetch_source(one, hub=hub).url == one.url


def test_what_is_still_to_be_downloaded_is_known_without_downloading_it(server: LocalServer, hub: Hub) -> None:
    one = locate_source(WHOLE, layer=12, l0="41", hub=hub)
    assert missing_bytes(one, hub=hub) == len(weights("any"))
    assert server.asked("/resolve/") == []
    fetch_source(one, hub=hub)
    assert missing_bytes(one, hub=hub) == 0
    assert missing_bytes(locate_source(WHOLE, layer=12, l0="22", hub=hub), hub=hub) > 0


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("hf://some/nothing/x", "There is no repository some/nothing"),
        ("hf://some/saes/blocks.8.hook_resid_pre@v9", "no such revision"),
        ("hf://some/saes/none", "no such file or folder"),
        ("hf://some/saes", "There are no weights"),
        ("hf://some/saes/blocks.8.hook_resid_pre/other.safetensors", "There are no weights"),
        ("hf://some/gated/a", "only for those who accepted its terms"),
    ],
)
def test_what_the_hub_does_not_give_is_refused(hub: Hub, source: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        resolve_source(source, hub=hub)
    assert caught.value.hint


@pytest.mark.parametrize("source", ["hf://", "hf://one", "hf://a/b/../c", "hf://../b", "hf://a/b@", "hf://a/b/c@d@e"])
def test_what_is_no_address_is_refused_before_the_hub_is_asked(server: LocalServer, hub: Hub, source: str) -> None:
    with pytest.raises(InvalidInput, match="Not an address on the hub"):
        resolve_source(source, hub=hub)
    assert server.requests == []


def test_revision_may_have_slashes(hub: Hub) -> None:
    got = resolve_source("hf://some/saes/blocks.8.hook_resid_pre@refs/pr/1", hub=hub)
    assert got.revision == repositories()["some/saes"].commit


def test_second_time_no_bytes_are_fetched(server: LocalServer, hub: Hub) -> None:
    first = resolve_source(WHOLE, layer=5, hub=hub)
    server.requests.clear()
    assert resolve_source(WHOLE, layer=5, hub=hub) == first
    assert server.asked("/resolve/") == []


def test_cut_connection_is_continued_where_it_broke(server: LocalServer, hub: Hub) -> None:
    server.faults.append(Fault.broken(10_000, path="/resolve/"))
    got = resolve_source(WHOLE, layer=5, hub=hub)
    assert got.path.read_bytes() == weights("layer_5/width_16k/average_l0_18/params.npz")
    ranges = [request.headers.get("range") for request in server.asked("/resolve/")]
    assert ranges[0] is None
    assert all(start and int(start.removeprefix("bytes=").rstrip("-")) > 0 for start in ranges[1:])
    assert partial_files(hub) == []


def test_what_has_arrived_is_kept_for_the_next_run(server: LocalServer, hub: Hub) -> None:
    server.faults += [Fault.broken(20_000, path="/resolve/"), Fault.status(500, path="/resolve/", times=50)]
    with pytest.raises(SourceError) as caught:
        resolve_source(WHOLE, layer=5, hub=hub)
    assert caught.value.kind == "network-error"
    (part,) = partial_files(hub)
    arrived = part.stat().st_size
    assert 0 < arrived <= 20_000
    server.faults.clear()
    server.requests.clear()
    got = resolve_source(WHOLE, layer=5, hub=hub)
    assert got.path.read_bytes() == weights("layer_5/width_16k/average_l0_18/params.npz")
    assert [request.headers.get("range") for request in server.asked("/resolve/")] == [f"bytes={arrived}-"]


@pytest.mark.parametrize("size", [5_000, 44_800, 90_000])
def test_wrong_remainder_of_an_earlier_run_is_dropped(server: LocalServer, hub: Hub, size: int) -> None:
    located = locate_source(WHOLE, layer=5, hub=hub)
    blobs = hub.cache / f"models--{REPO.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    (blobs / f"{located.listing.files[0].digest}.saeatlas.incomplete").write_bytes(b"x" * size)
    got = fetch_source(located, hub=hub)
    assert got.path.read_bytes() == weights("layer_5/width_16k/average_l0_18/params.npz")
    assert partial_files(hub) == []


def test_server_that_ignores_ranges_does_not_double_the_file(server: LocalServer, hub: Hub) -> None:
    located = locate_source(WHOLE, layer=5, hub=hub)
    blobs = hub.cache / f"models--{REPO.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    data = weights("layer_5/width_16k/average_l0_18/params.npz")
    (blobs / f"{located.listing.files[0].digest}.saeatlas.incomplete").write_bytes(data[:7_000])
    whole = server.answer

    def without_ranges(request: Request) -> Reply:
        headers = {name: value for name, value in request.headers.items() if name != "range"}
        return whole(Request(request.method, request.path, headers))

    server.answer = without_ranges
    assert fetch_source(located, hub=hub).path.read_bytes() == data


def test_large_files_may_lie_on_another_server_which_does_not_see_the_key(
    server: LocalServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    data = weights("layer_5/width_16k/average_l0_18/params.npz")

    def elsewhere(request: Request) -> Reply:
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        return Reply(206 if start else 200, data[start:])

    whole = server.answer
    with LocalServer(elsewhere) as storage:

        def redirected(request: Request) -> Reply:
            reply = whole(request)
            if "params.npz" not in request.path:
                return reply
            return Reply(302, b"", {**reply.headers, "Location": f"{storage.url}/signed"})

        server.answer = redirected
        storage.faults.append(Fault.broken(10_000))
        assert resolve_source(WHOLE, layer=5, hub=hub).path.read_bytes() == data
        assert all("authorization" not in request.headers for request in storage.requests)
        assert len(storage.asked("/signed")) == 2
    assert server.asked("/tree/")[0].headers["authorization"] == "Bearer hf_secret"


def test_wrong_bytes_are_refused_and_not_kept(server: LocalServer, hub: Hub) -> None:
    server.faults.append(Fault.body(lambda data: b"y" + data[1:], path="/resolve/", times=9))
    with pytest.raises(SourceError) as caught:
        resolve_source(WHOLE, layer=5, hub=hub)
    assert caught.value.kind == "digest-mismatch"
    assert [path for path in hub.cache.rglob("*") if path.is_file() and path.stat().st_size > 20_000] == []


def test_wrong_bytes_of_a_small_file_are_refused_and_not_kept(server: LocalServer, hub: Hub) -> None:
    server.faults.append(Fault.body(lambda data: b"y" + data[1:], path="cfg.json", times=9))
    with pytest.raises(SourceError) as caught:
        resolve_source("hf://some/saes/blocks.8.hook_resid_pre", hub=hub)
    assert caught.value.kind == "digest-mismatch"
    assert list(hub.cache.rglob("cfg.json")) == []


@pytest.mark.parametrize("name", ["cfg.json", "sae_weights.safetensors"])
def test_damaged_copy_in_the_cache_is_fetched_again(hub: Hub, name: str) -> None:
    source = "hf://some/saes/blocks.8.hook_resid_pre"
    path = resolve_source(source, hub=hub).path / name
    good = path.read_bytes()
    path.resolve().write_bytes(b"rotten")
    assert (resolve_source(source, hub=hub).path / name).read_bytes() == good


def test_commit_is_listed_once(server: LocalServer, hub: Hub) -> None:
    pinned = available_layers(WHOLE, hub=hub).source
    for layer in (3, 5, 12):
        resolve_source(pinned, layer=layer, l0="canonical" if layer != 5 else "18", hub=hub)
    assert len(server.asked("/tree/")) == 1
    assert len(server.asked("/revision/")) == 1


@pytest.mark.parametrize("path", ["/api/models/", "/tree/", "/resolve/"])
def test_failures_that_pass_are_tried_again(server: LocalServer, hub: Hub, path: str) -> None:
    server.faults.append(Fault.status(500, path=path, times=2))
    assert resolve_source(WHOLE, layer=5, hub=hub).path.exists()


def test_head_that_fails_once_is_tried_again(server: LocalServer, hub: Hub) -> None:
    failing = Fault.status(500, path="/resolve/")
    failing.method = "HEAD"
    server.faults.append(failing)
    assert resolve_source(WHOLE, layer=5, hub=hub).path.exists()


def test_hub_that_stays_down_is_named(server: LocalServer, hub: Hub) -> None:
    server.faults.append(Fault.status(503, path="/api/models/", times=99))
    with pytest.raises(SourceError, match=f"The hub at {server.url} failed") as caught:
        resolve_source(WHOLE, layer=5, hub=hub)
    assert caught.value.kind == "network-error"
    assert len(server.asked("/api/models/")) == 5


def test_answer_that_is_not_of_a_hub_is_refused(server: LocalServer, hub: Hub) -> None:
    server.faults.append(Fault.body(lambda data: b"<html>Please log in</html>", path="/api/models/", times=9))
    with pytest.raises(SourceError) as caught:
        resolve_source(WHOLE, layer=5, hub=hub)
    assert caught.value.kind == "network-error"


def test_hub_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    hub = Hub("http://127.0.0.1:9", tmp_path, sleep=lambda seconds: None)
    with pytest.raises(SourceError, match=r"The hub at http://127\.0\.0\.1:9 failed") as caught:
        resolve_source(WHOLE, layer=5, hub=hub)
    assert caught.value.kind == "network-error"


def test_offline_what_was_fetched_is_there_and_the_rest_is_named(server: LocalServer, hub: Hub) -> None:
    online = resolve_source(WHOLE, layer=12, l0="82", hub=hub)
    server.requests.clear()
    offline = Hub(hub.endpoint, hub.cache, offline=True)
    assert resolve_source(WHOLE, layer=12, l0="canonical", hub=offline) == online
    assert resolve_source(f"{WHOLE}@{online.revision}", layer=12, l0="82", hub=offline) == online
    with pytest.raises(SourceError, match="not known offline"):
        resolve_source(WHOLE, layer=12, hub=offline)
    with pytest.raises(SourceError, match="There is no layer 5"):
        resolve_source(WHOLE, layer=5, l0="18", hub=offline)
    with pytest.raises(SourceError, match="The cache has nothing of some/saes"):
        resolve_source("hf://some/saes", hub=offline)
    assert server.requests == []


def test_offline_and_online_have_one_fingerprint(hub: Hub) -> None:
    source = "hf://some/saes/blocks.8.hook_resid_pre"
    resolve_source(source, hub=hub)
    offline = Hub(hub.endpoint, hub.cache, offline=True)
    assert locate_source(source, hub=offline).fingerprint == locate_source(source, hub=hub).fingerprint


def test_offline_damage_is_reported(hub: Hub) -> None:
    path = resolve_source(WHOLE, layer=5, hub=hub).path
    path.resolve().write_bytes(b"rotten")
    with pytest.raises(SourceError, match="The checksum of") as caught:
        resolve_source(WHOLE, layer=5, l0="18", hub=Hub(hub.endpoint, hub.cache, offline=True))
    assert caught.value.kind == "digest-mismatch"


def test_environment_says_where_the_hub_is(server: LocalServer, tmp_path: Path) -> None:
    code = (
        "import sys; from saeatlas.importers._hub import resolve_source; "
        "print(resolve_source(sys.argv[1], layer=5, l0='18').path.stat().st_size)"
    )
    asked = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    asked.pop("HF_HUB_CACHE", None)
    offline = {**asked, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    for environment in (asked, offline):
        done = subprocess.run(
            [sys.executable, "-c", code, WHOLE], env=environment, capture_output=True, text=True, check=False
        )
        assert done.stdout == "44800\n", done.stderr


def test_progress_counts_the_bytes_of_the_file_once(server: LocalServer, hub: Hub) -> None:
    events: list[Event] = []
    server.faults.append(Fault.broken(20_000, path="/resolve/"))
    resolve_source(WHOLE, layer=5, hub=hub, progress=Progress(events.append))
    (start,) = [event for event in events if event.what == "start"]
    assert (start.task, start.total, start.unit) == ("Download params.npz", 44_800, "bytes")
    assert sum(event.amount for event in events) == 44_800


def test_local_copy_of_a_repository_is_chosen_from_in_the_same_way(tmp_path: Path) -> None:
    root = tmp_path / "gemma-scope-2b-pt-res"
    for path, data in gemma(12, 22, 82).items():
        (root / path).parent.mkdir(parents=True)
        (root / path).write_bytes(data)
    got = resolve_source(str(root), layer=12, l0="canonical")
    assert got.path == root / "layer_12/width_16k/average_l0_82/params.npz"
    assert available_layers(str(root)).layers == (12,)
    with pytest.raises(SourceError, match="2 SAEs of width 16k of layer 12"):
        resolve_source(str(root), layer=12)


def test_local_folder_of_one_sae_is_taken_as_it_is(tmp_path: Path) -> None:
    for layer in (1, 10):
        (tmp_path / f"l{layer}").mkdir()
        (tmp_path / f"l{layer}" / "sae_weights.safetensors").write_bytes(b"w")
    assert resolve_source(str(tmp_path / "l1")).path == tmp_path / "l1"
    assert resolve_source(str(tmp_path / "l{layer}"), layer=10).path == tmp_path / "l10"
    assert available_layers(str(tmp_path / "l{layer}")).layers == (1, 10)
    with pytest.raises(InvalidInput, match="one SAE only"):
        resolve_source(str(tmp_path / "l1"), layer=1)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra) as caught:
        resolve_source(WHOLE, layer=5)
    assert "saeatlas[hub]" in caught.value.hint
