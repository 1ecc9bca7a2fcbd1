"""Files of tensors: read exactly and in parts, and refused before anything is allocated when they lie."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from saeatlas.errors import SourceError
from saeatlas.format.tensor import Tensor
from saeatlas.format.tensor_files import open_tensors

RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(7, 5)).astype(np.float32)


def safetensors_bytes(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype: str, shape: list[int], start: int, stop: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def npz_bytes(*, compressed: bool = False, **arrays: Any) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def npy_bytes(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_header(shape: str, descr: str = "'<f4'", order: str = "False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def zip_of(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def read_all(path: Path) -> None:
    with open_tensors(path, "weights") as tensors:
        for tensor in tensors.values():
            tensor.read()


def refused(directory: Path, data: bytes, name: str = "w.bin") -> SourceError:
    path = directory / name
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(SourceError) as caught:
        read_all(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000 + 4 * len(data)
    assert name in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.fixture(params=["safetensors", "npz", "compressed"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of three tensors, in each of the containers."""
    file = tmp_path / "w"
    arrays = {"m": MATRIX, "v": MATRIX[0].astype(np.float64), "empty": np.empty((0, 3), np.float32)}
    if request.param == "safetensors":
        save_file(arrays, file)
    else:
        file.write_bytes(npz_bytes(compressed=request.param == "compressed", **arrays))
    return file


def test_tensors_read_whole_by_rows_and_by_columns(path: Path) -> None:
    with open_tensors(path, "weights") as tensors:
        assert set(tensors) == {"m", "v", "empty"}
        assert np.array_equal(tensors["m"].read(), MATRIX)
        assert np.array_equal(tensors["m"].rows(2, 5), MATRIX[2:5])
        assert np.array_equal(tensors["m"].columns(1, 4), MATRIX[:, 1:4].T)
        assert tensors["v"].read().dtype == np.float64
        assert tensors["empty"].read().shape == (0, 3)
        assert tensors["m"].first_not_finite() is None


def test_columns_are_the_same_in_any_block(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saeatlas.format.tensor._BLOCK_BYTES", 24)
    with open_tensors(path, "weights") as tensors:
        assert np.array_equal(tensors["m"].columns(0, 5), MATRIX.T)
        assert tensors["m"].first_not_finite() is None


def test_every_bfloat16_and_float16_is_widened_exactly(tmp_path: Path) -> None:
    patterns = np.arange(65_536, dtype=np.uint16)
    header = {"b": entry("BF16", [65_536], 0, 131_072), "h": entry("F16", [65_536], 131_072, 262_144)}
    (tmp_path / "w").write_bytes(safetensors_bytes(header, patterns.tobytes() * 2))
    with open_tensors(tmp_path / "w", "weights") as tensors:
        wide, half = tensors["b"].read(), tensors["h"].read()
    assert wide.dtype == half.dtype == np.float32
    assert np.array_equal(wide.view(np.uint32) >> 16, patterns)
    assert not (wide.view(np.uint32) & 0xFFFF).any()
    assert wide[0x3F80] == 1
    assert wide[0xC049] == -3.140625
    assert np.array_equal(half, patterns.view(np.float16).astype(np.float32), equal_nan=True)


def test_first_not_finite_is_in_the_order_of_the_file(tmp_path: Path) -> None:
    matrix = MATRIX.copy()
    matrix[3, 1] = np.inf
    matrix[2, 4] = np.nan
    save_file({"m": matrix}, tmp_path / "w")
    with open_tensors(tmp_path / "w", "weights") as tensors:
        assert tensors["m"].first_not_finite() == (2, 4)


def test_big_endian_and_npy_are_read(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(npz_bytes(m=MATRIX.astype(">f4"), d=np.float64(2.5)))
    with open_tensors(tmp_path / "w", "weights") as tensors:
        assert np.array_equal(tensors["m"].read(), MATRIX)
        assert tensors["d"].read() == 2.5
    np.save(tmp_path / "u.npy", MATRIX)
    with open_tensors(tmp_path / "u.npy", "unembedding") as tensors:
        assert np.array_equal(tensors["u"].read(), MATRIX)


@pytest.mark.parametrize("block", [24, 16_000_000])
def test_matrix_whose_columns_lie_one_after_the_other_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("saeatlas.format.tensor._BLOCK_BYTES", block)
    broken = MATRIX.copy()
    broken[3, 1] = np.nan
    (tmp_path / "w").write_bytes(npz_bytes(m=np.asfortranarray(MATRIX), b=np.asfortranarray(broken), t=MATRIX.T))
    with open_tensors(tmp_path / "w", "weights") as tensors:
        assert np.array_equal(tensors["m"].read(), MATRIX)
        assert np.array_equal(tensors["m"].rows(2, 5), MATRIX[2:5])
        assert np.array_equal(tensors["m"].columns(1, 4), MATRIX[:, 1:4].T)
        assert np.array_equal(tensors["t"].rows(0, 5), MATRIX.T)
        assert tensors["m"].first_not_finite() is None
        assert tensors["b"].first_not_finite() == (3, 1)


def test_links_are_followed(tmp_path: Path) -> None:
    save_file({"m": MATRIX}, tmp_path / "blob")
    (tmp_path / "w").symlink_to("blob")
    with open_tensors(tmp_path / "w", "weights") as tensors:
        assert tensors["m"].shape == (7, 5)


def test_memory_of_columns_is_that_of_the_block(tmp_path: Path) -> None:
    wide = np.zeros((200, 50_000), np.float32)
    save_file({"m": wide}, tmp_path / "w")
    with open_tensors(tmp_path / "w", "weights") as tensors:
        tracemalloc.start()
        for start in range(0, 50_000, 5_000):
            tensors["m"].columns(start, start + 5_000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20_000_000 < wide.nbytes


HEADERS = {
    "no room for a length": (b"\1\0\0", "wrong-file-type"),
    "absurd length": (safetensors_bytes({}, length=2**63), "wrong-file-type"),
    "length just beyond": (safetensors_bytes({}, length=10_000_001), "wrong-file-type"),
    "length beyond the file": (safetensors_bytes({}, length=5_000), "truncated-source"),
    "not JSON": (safetensors_bytes(b"nonsense"), "wrong-file-type"),
    "not UTF-8": (safetensors_bytes(b'{"\xff": 1}'), "wrong-file-type"),
    "endless nesting": (safetensors_bytes(b"[" * 200_000), "wrong-file-type"),
    "a list": (safetensors_bytes([]), "wrong-file-type"),
    "name twice": (
        safetensors_bytes(
            b'{"m":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"m":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            b"\0" * 4,
        ),
        "wrong-file-type",
    ),
    "no entry": (safetensors_bytes({"m": 3}), "wrong-file-type"),
    "no offsets": (safetensors_bytes({"m": {"dtype": "F32", "shape": [1]}}), "wrong-file-type"),
    "unknown type": (safetensors_bytes({"m": entry("X9", [1], 0, 4)}, b"\0" * 4), "wrong-file-type"),
    "type that is a list": (safetensors_bytes({"m": {**entry("F32", [1], 0, 4), "dtype": "é"}}), "wrong-file-type"),
    "shape of another size": (safetensors_bytes({"m": entry("F32", [2], 0, 4)}, b"\0" * 4), "wrong-file-type"),
    "negative axes": (safetensors_bytes({"m": entry("F32", [-1, -1], 0, 4)}, b"\0" * 4), "wrong-file-type"),
    "wrapping product": (safetensors_bytes({"m": entry("F32", [2**32, 2**32], 0, 0)}), "wrong-file-type"),
    "true as an axis": (safetensors_bytes({"m": entry("F32", [True], 0, 4)}, b"\0" * 4), "wrong-file-type"),
    "a terabyte": (safetensors_bytes({"m": entry("F32", [2**38], 0, 2**40)}), "truncated-source"),
    "cut short": (safetensors_bytes({"m": entry("F32", [2], 0, 8)}, b"\0" * 7), "truncated-source"),
    "overlap": (
        safetensors_bytes({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, b"\0" * 12),
        "wrong-file-type",
    ),
    "the same bytes twice": (
        safetensors_bytes({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 0, 8)}, b"\0" * 8),
        "wrong-file-type",
    ),
    "gap": (safetensors_bytes({"a": entry("F32", [1], 4, 8)}, b"\0" * 8), "wrong-file-type"),
    "something behind": (safetensors_bytes({"a": entry("F32", [1], 0, 4)}, b"\0" * 5), "wrong-file-type"),
    "integers": (safetensors_bytes({"a": entry("I32", [1], 0, 4)}, b"\0" * 4), "wrong-file-type"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 99, "wrong-file-type"),
    "pickle": (b"\x80\x04\x95" + b"\0" * 99, "pickled-source"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "wrong-file-type"),
    "text": (b"<html>not found</html>", "wrong-file-type"),
}


@pytest.mark.parametrize(("data", "kind"), HEADERS.values(), ids=HEADERS)
def test_safetensors_that_lies_is_refused(tmp_path: Path, data: bytes, kind: str) -> None:
    assert refused(tmp_path, data).kind == kind


NPZ = {
    "cut short": (npz_bytes(m=MATRIX)[:-30], "truncated-source"),
    "cut in the middle": (npz_bytes(m=MATRIX)[:120], "truncated-source"),
    "no arrays": (zip_of({"a.txt": b"x"}), "wrong-file-type"),
    "nothing": (zip_of({}), "wrong-file-type"),
    "PyTorch": (zip_of({"archive/data.pkl": b"x", "archive/data/0": b"x"}), "pickled-source"),
    "pickle": (npz_bytes(m=np.array([{}], object)), "pickled-source"),
    "absurd shape": (zip_of({"m.npy": npy_header(f"({2**40}, {2**40})")}), "truncated-source"),
    "negative shape": (zip_of({"m.npy": npy_header("(-1, -4)") + b"\0" * 16}), "truncated-source"),
    "shape beyond the data": (zip_of({"m.npy": npy_header("(9,)") + b"\0" * 35}), "truncated-source"),
    "header of nonsense": (zip_of({"m.npy": npy_header("print(1)")}), "truncated-source"),
    "not an array": (zip_of({"m.npy": b"hello"}), "truncated-source"),
    "three axes in the order of Fortran": (npz_bytes(m=np.asfortranarray(np.ones((2, 3, 2)))), "wrong-file-type"),
    "records": (zip_of({"m.npy": npy_header("(1,)", "[('a', '<f4')]") + b"\0" * 4}), "wrong-file-type"),
    "bomb": (
        zip_of({"m.npy": npy_header("(30000000,)") + b"\0" * 120_000_000}, zipfile.ZIP_DEFLATED),
        "wrong-file-type",
    ),
}


@pytest.mark.parametrize(("data", "kind"), NPZ.values(), ids=NPZ)
def test_npz_that_lies_is_refused(tmp_path: Path, data: bytes, kind: str) -> None:
    assert refused(tmp_path, data, "w.npz").kind == kind


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_array_twice_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("m.npy", npy_bytes(MATRIX))
        archive.writestr("m.npy", npy_bytes(MATRIX + 1))
    assert "twice" in refused(tmp_path, file.getvalue()).message


@pytest.mark.parametrize("compressed", [False, True])
def test_flipped_bit_is_noticed(tmp_path: Path, *, compressed: bool) -> None:
    data = bytearray(npz_bytes(compressed=compressed, m=RNG.normal(size=500)))
    data[len(data) // 2] ^= 1
    assert refused(tmp_path, bytes(data)).kind == "truncated-source"


def test_stored_member_that_claims_another_size_is_refused(tmp_path: Path) -> None:
    data = bytearray(npz_bytes(m=MATRIX))
    where = data.index(b"PK\x01\x02")
    data[where + 24 : where + 28] = struct.pack("<I", 10**9)
    assert refused(tmp_path, bytes(data)).kind == "truncated-source"


def test_file_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    save_file({"m": np.zeros((1000, 100), np.float32)}, tmp_path / "w")
    with open_tensors(tmp_path / "w", "weights") as tensors:
        with (tmp_path / "w").open("r+b") as file:
            file.truncate(1000)
        with pytest.raises(SourceError, match="ends within the tensor 'm'"):
            tensors["m"].read()


@pytest.mark.parametrize("make", ["missing", "folder", "loop", "empty"])
def test_what_is_no_file_is_refused(tmp_path: Path, make: str) -> None:
    path = tmp_path / "w"
    if make == "folder":
        path.mkdir()
    if make == "loop":
        path.symlink_to("w")
    if make == "empty":
        path.touch()
    with pytest.raises(SourceError, match="weights"), open_tensors(path, "weights"):
        pass


def test_safetensors_with_a_header_of_128_bytes_is_no_pickle(tmp_path: Path) -> None:
    text = json.dumps({"m": entry("F32", [1], 0, 4)}).encode()
    (tmp_path / "w").write_bytes(safetensors_bytes(text + b" " * (128 - len(text)), struct.pack("<f", 3)))
    with open_tensors(tmp_path / "w", "weights") as tensors:
        assert isinstance(tensors["m"], Tensor)
        assert tensors["m"].read().tolist() == [3]
