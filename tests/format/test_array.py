from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.errors import FormatError, InternalError, InvalidInput, SaeatlasError
from saeatlas.format.array import ArrayReader, ArrayWriter, write_array, write_group
from saeatlas.format.codecs import PROFILES, Profile, chunk_elements
from saeatlas.storage import LocalStore, MemoryStore

Array = npt.NDArray[Any]
DTYPES = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


def numbers(n: int, dtype: str, row_shape: tuple[int, ...] = ()) -> Array:
    return (np.random.default_rng(n).random((n, *row_shape)) * 120).astype(dtype)


def write(directory: Path, array: Array, profile: Profile, n_appends: int = 3) -> ArrayReader:
    with ArrayWriter(directory, "a", dtype=array.dtype, row_shape=array.shape[1:], profile=profile) as writer:
        for part in np.array_split(array, n_appends):
            writer.append(part)
    return ArrayReader(LocalStore(directory), "a")


def read_with_zarr(directory: Path) -> Array:
    with warnings.catch_warnings():
        # Zarr-python says that pcodec is no part of the specification of Zarr itself.
        warnings.filterwarnings("ignore", message="Numcodecs codecs are not in the Zarr")
        array = zarr.open_array(str(directory / "a"), mode="r")
        return np.asarray(array[...])


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_zarr_reads_every_type_of_every_profile(tmp_path: Path, profile: Profile, dtype: str) -> None:
    array = numbers(40_000, dtype)
    write(tmp_path, array, profile)
    found = read_with_zarr(tmp_path)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("around", [-1, 0, 1])
@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_lengths_around_chunks_come_back(tmp_path: Path, profile: Profile, chunks: int, around: int) -> None:
    n = max(0, chunks * chunk_elements(profile) + around)
    array = numbers(n, "uint32")
    reader = write(tmp_path, array, profile)
    assert reader.shape == (n,)
    np.testing.assert_array_equal(reader.read(), array)
    np.testing.assert_array_equal(read_with_zarr(tmp_path), array)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("n", [0, 1, 8_192, 8_193, 20_000])
def test_rows_of_two_numbers_come_back(tmp_path: Path, profile: Profile, n: int) -> None:
    array = numbers(n, "float32", (2,))
    reader = write(tmp_path, array, profile)
    np.testing.assert_array_equal(reader.read(n // 3, n), array[n // 3 :])
    np.testing.assert_array_equal(read_with_zarr(tmp_path), array)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), profile=st.sampled_from(PROFILES))
def test_any_range_comes_back(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, profile: Profile) -> None:
    directory = tmp_path_factory.mktemp("array")
    n = data.draw(st.sampled_from([1, 16_384, 40_000, 70_000]))
    array = numbers(n, "float32")
    reader = write(directory, array, profile, data.draw(st.integers(1, 5)))
    start = data.draw(st.integers(0, n))
    stop = data.draw(st.integers(start, n))
    np.testing.assert_array_equal(reader.read(start, stop), array[start:stop])


@pytest.mark.parametrize("profile", PROFILES)
def test_special_values_keep_their_bits(tmp_path: Path, profile: Profile) -> None:
    array = np.array([np.nan, -np.inf, np.inf, -0.0, 0.0, 1e-45, 3.4e38], np.float32)
    found = write(tmp_path, array, profile).read()
    np.testing.assert_array_equal(found.view(np.uint32), array.view(np.uint32))


def test_an_uncompressed_array_is_its_bytes_and_an_index(tmp_path: Path) -> None:
    array = numbers(100_000, "float32")
    write(tmp_path, array, "fast")
    assert (tmp_path / "a" / "c" / "0").read_bytes().startswith(array.tobytes())


def test_an_array_without_rows_has_no_shard(tmp_path: Path) -> None:
    write(tmp_path, numbers(0, "float32"), "fast")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["zarr.json"]


def test_appended_rows_may_change_afterwards(tmp_path: Path) -> None:
    rows = np.arange(10, dtype=np.uint32)
    with ArrayWriter(tmp_path, "a", dtype=np.uint32, profile="balanced") as writer:
        writer.append(rows)
        rows[:] = 0
    assert ArrayReader(LocalStore(tmp_path), "a").read().tolist() == list(range(10))


def test_a_group_opens_in_zarr(tmp_path: Path) -> None:
    write_group(tmp_path, "", {"what": "test"})
    write_array(tmp_path, "a", numbers(5, "int64"), "fast")
    group = zarr.open_group(str(tmp_path), mode="r")
    assert dict(group.attrs) == {"what": "test"}
    assert list(group.array_keys()) == ["a"]


def test_a_memory_store_gives_the_same(tmp_path: Path) -> None:
    array = numbers(40_000, "uint16")
    write_array(tmp_path, "a", array, "balanced")
    store = MemoryStore()
    for file in ("a/zarr.json", "a/c/0"):
        store.put_new(file, (tmp_path / file).read_bytes())
    np.testing.assert_array_equal(ArrayReader(store, "a").read(10_000, 30_000), array[10_000:30_000])


def test_rows_of_another_type_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(InternalError, match="float64"),
        ArrayWriter(tmp_path, "a", dtype=np.float32, profile="fast") as writer,
    ):
        writer.append(np.zeros(3))


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (0, 11), (5, 11)])
def test_ranges_outside_are_refused(tmp_path: Path, start: int, stop: int) -> None:
    reader = write(tmp_path, numbers(10, "float32"), "fast")
    with pytest.raises(InvalidInput, match="outside the 10 rows"):
        reader.read_into(start, stop, np.empty(stop - start, np.float32))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("at", [-1, -5, -12, -20])
def test_a_flipped_bit_in_the_index_is_found_and_the_file_named(tmp_path: Path, profile: Profile, at: int) -> None:
    reader = write(tmp_path, numbers(200_000, "float32"), profile)
    shard = tmp_path / "a" / "c" / "0"
    data = bytearray(shard.read_bytes())
    data[at] ^= 1
    shard.write_bytes(data)
    with pytest.raises(FormatError, match=r"'a/c/0'.*checksum") as caught:
        reader.read(0, 5)
    assert caught.value.kind == "corrupt-artifact"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("length", [0, 3, 100, -1])
def test_a_truncated_shard_is_found_and_the_file_named(tmp_path: Path, profile: Profile, length: int) -> None:
    reader = write(tmp_path, numbers(200_000, "float32"), profile)
    shard = tmp_path / "a" / "c" / "0"
    shard.write_bytes(shard.read_bytes()[:length])
    with pytest.raises(FormatError, match="'a/c/0'") as caught:
        reader.read(0, 5)
    assert caught.value.kind == "corrupt-artifact"


@pytest.mark.parametrize("profile", PROFILES)
def test_bytes_inserted_before_the_index_are_found(tmp_path: Path, profile: Profile) -> None:
    reader = write(tmp_path, numbers(200_000, "float32"), profile)
    shard = tmp_path / "a" / "c" / "0"
    shard.write_bytes(b"x" + shard.read_bytes())
    with pytest.raises(FormatError, match="'a/c/0'"):
        reader.read(0, 5)


@pytest.mark.parametrize("profile", ["balanced", "compact"])
def test_a_chunk_that_cannot_be_decoded_is_named(tmp_path: Path, profile: Profile) -> None:
    reader = write(tmp_path, numbers(40_000, "float32"), profile)
    shard = tmp_path / "a" / "c" / "0"
    data = bytearray(shard.read_bytes())
    data[:24] = bytes(24)
    shard.write_bytes(data)
    with pytest.raises(FormatError, match="Chunk 0 cannot be decoded: 'a/c/0'"):
        reader.read(0, 5)


@pytest.mark.parametrize("path", ["a/zarr.json", "a/c/0"])
def test_a_missing_file_is_named(tmp_path: Path, path: str) -> None:
    reader = write(tmp_path, numbers(10, "float32"), "fast")
    (tmp_path / path).unlink()
    with pytest.raises(FormatError, match=re.escape(f"missing: '{path}'")):
        reader.read()


def _change_metadata(directory: Path, change: dict[str, Any]) -> None:
    path = directory / "a" / "zarr.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


@pytest.mark.parametrize(
    "change",
    [
        {"data_type": "complex64"},
        {"zarr_format": 2},
        {"codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]},
        {"shape": [10, 2, 2]},
        {"shape": [10**9]},
        {"shape": [-1]},
        {"shape": "ten"},
        {"chunk_grid": 3},
    ],
)
def test_metadata_of_another_kind_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    reader = write(tmp_path, numbers(10, "float32"), "fast")
    _change_metadata(tmp_path, change)
    with pytest.raises(FormatError, match=r"'a/zarr\.json'"):
        reader.read()


def test_metadata_that_is_no_json_is_refused(tmp_path: Path) -> None:
    reader = write(tmp_path, numbers(10, "float32"), "fast")
    (tmp_path / "a" / "zarr.json").write_bytes(b"\xff{")
    with pytest.raises(FormatError, match=r"Not the metadata of an array: 'a/zarr\.json'"):
        reader.read()


def test_an_unknown_codec_says_to_upgrade(tmp_path: Path) -> None:
    reader = write(tmp_path, numbers(10, "float32"), "balanced")
    path = tmp_path / "a" / "zarr.json"
    path.write_text(path.read_text().replace('"blosc"', '"later"'))
    with pytest.raises(FormatError) as caught:
        reader.read()
    assert caught.value.kind == "unsupported-format"


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(SaeatlasError, match="write the array 'a'") as caught:
        ArrayWriter(tmp_path, "a", dtype=np.float32, profile="fast")
    assert caught.value.exit_code == 10
