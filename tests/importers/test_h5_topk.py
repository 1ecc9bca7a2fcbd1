"""The importer of top-k HDF5: every layout gives the rows that were written, every fault a sentence."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saeatlas.errors import InvalidInput, MissingExtra, SourceError
from saeatlas.format.source_file import fingerprint
from saeatlas.importers import _hdf5
from saeatlas.importers.h5_topk import H5TopK
from saeatlas.pipeline.importer import Importer
from saeatlas.progress import SILENT, Event, Progress
from saeatlas.testing.importer_contract import ImporterContract, all_rows, documents_of
from saeatlas.testing.topk_source import TopkSource, random_topk


def pair(directory: Path, source: TopkSource | None = None, **layout: Any) -> H5TopK:
    source = source or random_topk(0)
    source.write_hdf5(directory / "acts.h5", **layout)
    source.write_npz(directory / "meta.npz")
    return H5TopK(str(directory / "acts.h5"), metadata=str(directory / "meta.npz"), sae="s")


def spoiled(change: Callable[[h5py.File], None], **fields: Any) -> Callable[[Path], Importer]:
    def make(directory: Path) -> Importer:
        importer = pair(directory)
        with h5py.File(importer.source, "r+") as file:
            change(file)
        return H5TopK(importer.source, metadata=importer.metadata, sae="s", **fields)

    return make


def replaced(name: str, change: Callable[[Any], Any]) -> Callable[[Path], Importer]:
    def swap(file: h5py.File) -> None:
        data = change(file[name][()])
        del file[name]
        file.create_dataset(name, data=data)

    return spoiled(swap)


def overwritten(which: str, change: Callable[[bytes], bytes]) -> Callable[[Path], Importer]:
    def make(directory: Path) -> Importer:
        importer = pair(directory)
        path = Path(getattr(importer, which))
        path.write_bytes(change(path.read_bytes()))
        return importer

    return make


def metadata(**changed: Any) -> Callable[[Path], Importer]:
    def make(directory: Path) -> Importer:
        importer = pair(directory)
        random_topk(0).write_npz(Path(importer.metadata), **changed)
        return importer

    return make


def with_fields(**fields: Any) -> Callable[[Path], Importer]:
    return spoiled(lambda _: None, **fields)


def bad_utf8(ids: Any) -> Any:
    return np.where(np.arange(ids.size) == 7, b"\xff\xfe", ids)


def set_first_twice(ids: Any) -> Any:
    ids[3] = ids[0]
    return ids


def other_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("letter.txt", "dear reader")
    return buffer.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
META = random_topk(0).metadata()
FAULTS: dict[str, tuple[str, Callable[[Path], Importer]]] = {
    "HDF5 cut in half": ("truncated-source", overwritten("source", lambda b: b[: len(b) // 2])),
    "HDF5 is a pointer": ("wrong-file-type", overwritten("source", lambda _: LFS)),
    "HDF5 is text": ("wrong-file-type", overwritten("source", lambda _: b"hello, this is not HDF5")),
    "HDF5 is empty": ("empty-source", overwritten("source", lambda _: b"")),
    "HDF5 header is damaged": ("truncated-source", overwritten("source", lambda b: b[:8] + b"\xff" * 90 + b[98:])),
    "HDF5 is a folder": ("wrong-file-type", lambda d: H5TopK(str(d), sae="s")),
    "values are missing": ("missing-dataset", spoiled(lambda f: f.__delitem__("z_val"))),
    "ids are missing": ("missing-dataset", spoiled(lambda f: f.__delitem__("rev_idx"))),
    "indices are a group": ("missing-dataset", spoiled(lambda _: None, indices="group")),
    "fewer values than indices": ("shape-mismatch", replaced("z_val", lambda a: a[:-3])),
    "fewer ids than rows": ("shape-mismatch", replaced("rev_idx", lambda a: a[:-1])),
    "fewer slots of values": ("shape-mismatch", replaced("z_val", lambda a: a[:, :-1])),
    "indices of one dimension": ("shape-mismatch", replaced("z_idx", lambda a: a[:, 0])),
    "ids of two dimensions": ("shape-mismatch", replaced("rev_idx", lambda a: a[:, None])),
    "indices are floats": ("shape-mismatch", replaced("z_idx", lambda a: a.astype("f4"))),
    "values are whole numbers": ("shape-mismatch", replaced("z_val", lambda a: a.astype("i4"))),
    "ids are floats": ("shape-mismatch", replaced("rev_idx", lambda a: np.zeros(a.size))),
    "no rows": ("empty-source", spoiled(lambda f: [empty(f, name) for name in ("z_idx", "z_val", "rev_idx")])),
    "id of a row is not UTF-8": ("undecodable-id", replaced("rev_idx", bad_utf8)),
    "declared ids hold one twice": ("duplicate-id", replaced("review_ids_unique", set_first_twice)),
    "metadata holds an id twice": ("duplicate-id", metadata(review_ids=set_first_twice(META["review_ids"].copy()))),
    "metadata without ids": ("missing-metadata", metadata(review_ids=None)),
    "metadata of another corpus": ("missing-metadata", metadata(review_ids=np.char.add("x", META["review_ids"]))),
    "metadata columns differ in length": ("shape-mismatch", metadata(stars=META["stars"][:-1])),
    "metadata without documents": ("empty-source", metadata(**{name: array[:0] for name, array in META.items()})),
    "metadata ids are not UTF-8": ("undecodable-id", metadata(review_ids=np.array([b"\xff"] * 9))),
    "metadata is a pickle": ("pickled-source", metadata(texts=META["texts"].astype(object))),
    "metadata is a pointer": ("wrong-file-type", overwritten("metadata", lambda _: LFS)),
    "metadata is cut in half": ("truncated-source", overwritten("metadata", lambda b: b[: len(b) // 2])),
    "metadata is HDF5": ("wrong-file-type", lambda d: H5TopK(pair(d).source, metadata=str(d / "acts.h5"), sae="s")),
    "metadata is a zip of something else": ("wrong-file-type", overwritten("metadata", lambda _: other_zip())),
    "named text column is missing": ("missing-metadata", with_fields(text_column="body")),
    "tokenizer without texts": ("missing-metadata", with_fields(text_column="", tokenizer="t.json")),
    "tokenizer is not there": ("source-error", with_fields(tokenizer="no-such-model")),
}


def empty(file: h5py.File, name: str) -> None:
    data = file[name][:0]
    del file[name]
    file.create_dataset(name, data=data)


class TestH5TopKContract(ImporterContract):
    def make_importer(self, directory: Path) -> Importer:
        return pair(directory)

    def faults(self) -> Mapping[str, tuple[str, Callable[[Path], Importer]]]:
        return FAULTS


class TestScatteredContract(ImporterContract):
    def make_importer(self, directory: Path) -> Importer:
        return pair(directory, random_topk(1, contiguous=False), chunks=(7, 2), compression="gzip")


class TestIdsOnlyContract(ImporterContract):
    def make_importer(self, directory: Path) -> Importer:
        random_topk(2).write_hdf5(directory / "a b ü.h5", ids="variable", unique=False)
        return H5TopK(str(directory / "a b ü.h5"), sae="s", n_features=50)


class TestTokenTableContract(ImporterContract):
    def make_importer(self, directory: Path) -> Importer:
        importer = pair(directory)
        source = random_topk(0)
        position = [int((source.document[:row] == of).sum()) for row, of in enumerate(source.document)]
        ids = [source.ids[of] for of in source.document]
        table = pa.table({"document": ids, "position": position, "id": position})
        pq.write_table(table.slice(0, table.num_rows - 1), directory / "tokens.parquet")
        return H5TopK(importer.source, metadata=importer.metadata, tokens=str(directory / "tokens.parquet"), sae="s")


LAYOUTS: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "gzip": {"compression": "gzip", "chunks": True},
    "lzf shuffled": {"compression": "lzf", "shuffle": True, "chunks": (5, 1)},
    "fletcher": {"fletcher32": True, "chunks": (3, 3)},
    "blosc": {"chunks": (16, 2), **hdf5plugin.Blosc()},
    "zstd": {"chunks": (10, 4), **hdf5plugin.Zstd()},
    "larger chunks than rows": {"chunks": (999, 2), "maxshape": (None, 4)},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_come_as_written_from_every_layout(tmp_path: Path, layout: str) -> None:
    source = random_topk(3)
    importer = pair(tmp_path, source, **LAYOUTS[layout])
    indptr, features, values = all_rows(importer)
    assert np.array_equal(features.reshape(source.indices.shape), source.indices)
    assert np.array_equal(values.reshape(source.values.shape), source.values)
    assert indptr[1] == source.indices.shape[1]


@pytest.mark.parametrize("value_type", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("index_type", ["i1", "u1", "<i2", ">u2", "<i4", "<u4", "<i8", "<u8"])
def test_rows_come_as_written_from_every_type(tmp_path: Path, index_type: str, value_type: str) -> None:
    source = random_topk(4, k=3)
    source = TopkSource(
        source.indices.astype(index_type), source.values.astype(value_type), source.document, source.ids
    )
    _, features, values = all_rows(pair(tmp_path, source))
    assert features.tolist() == source.indices.reshape(-1).tolist()
    assert values.tolist() == source.values.reshape(-1).tolist()
    assert features.dtype.isnative
    assert values.dtype.isnative


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize("ids", ["fixed", "variable"])
@pytest.mark.parametrize("k", [1, 5])
def test_rows_belong_to_the_documents_that_were_written(tmp_path: Path, ids: str, k: int, *, contiguous: bool) -> None:
    source = random_topk(5, k=k, contiguous=contiguous)
    documents = documents_of(pair(tmp_path, source, ids=ids, unique=k == 1), tmp_path)
    assert documents.ids().to_pylist() == list(source.ids)
    for document in range(len(source.ids)):
        assert documents.rows_of(document).tolist() == source.document_rows(document)
    assert documents.attributes["contiguous"] == contiguous


def test_whole_numbers_serve_as_ids(tmp_path: Path) -> None:
    source = random_topk(6)
    source.write_hdf5(tmp_path / "a.h5", ids="integer")
    documents = documents_of(H5TopK(str(tmp_path / "a.h5"), sae="s"), tmp_path)
    assert documents.ids().to_pylist() == [str(i) for i in range(len(source.ids))]


def test_runs_that_cross_blocks_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_hdf5, "_ID_ROWS", 5)
    monkeypatch.setattr(_hdf5, "_BLOCK_ROWS", 3)
    source = random_topk(7)
    importer = pair(tmp_path, source, chunks=(2, 4))
    assert documents_of(importer, tmp_path).attributes["n_runs"] == len(source.ids)
    assert np.array_equal(all_rows(importer)[1].reshape(source.indices.shape), source.indices)


def test_names_of_datasets_are_fields(tmp_path: Path) -> None:
    source = random_topk(8)
    source.write_hdf5(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        for old, new in (("z_idx", "sae/i"), ("z_val", "sae/v"), ("rev_idx", "doc")):
            file.move(old, new)
    importer = H5TopK(str(tmp_path / "a.h5"), sae="s", indices="sae/i", values="sae/v", documents="doc")
    assert importer.survey(SILENT).n_rows == source.document.size


def test_ids_on_one_side_only_are_kept_counted_and_told(tmp_path: Path) -> None:
    source = random_topk(9)
    source.write_hdf5(tmp_path / "a.h5", unique=False)
    meta = source.metadata()
    kept = {name: array[1:] for name, array in meta.items()}
    kept = {name: np.append(array, array[:1]) for name, array in kept.items()}
    kept["review_ids"][-1] = "nobody"
    np.savez(tmp_path / "m.npz", **kept)
    said: list[Event] = []
    importer = H5TopK(str(tmp_path / "a.h5"), metadata=str(tmp_path / "m.npz"), sae="s")
    documents = documents_of(importer, tmp_path, Progress(said.append))
    assert documents.attributes["ids_without_metadata"] == 1
    assert documents.attributes["documents_without_rows"] == 1
    assert documents.attributes["first_documents_without_rows"] == ["nobody"]
    assert documents.ids().to_pylist() == [*source.ids[1:], "nobody", source.ids[0]]
    assert documents.text(len(source.ids)) is None
    sentences = " ".join(event.text for event in said if event.what == "message")
    assert source.ids[0] in sentences
    assert "nobody" in sentences


def test_declared_ids_without_rows_are_documents_too(tmp_path: Path) -> None:
    source = random_topk(10)
    source.write_hdf5(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        ids = [*file["review_ids_unique"][()], b"silent"]
        del file["review_ids_unique"]
        file["review_ids_unique"] = ids
    documents = documents_of(H5TopK(str(tmp_path / "a.h5"), sae="s"), tmp_path)
    assert documents.index_of("silent") == len(source.ids)
    assert documents.rows_of(len(source.ids)).size == 0


def test_metadata_columns_come_with_their_types(tmp_path: Path) -> None:
    table = documents_of(pair(tmp_path), tmp_path).table()
    types = {field.name: str(field.type) for field in table.schema}
    assert types["stars"] == "int64"
    assert types["score"] == "double"
    assert types["kept"] == "bool"
    assert types["city"] == "string"
    assert table["city"].to_pylist()[:2] == ["Oslo", "Bergen"]


def test_missing_dataset_error_lists_what_there_is(tmp_path: Path) -> None:
    importer = spoiled(lambda f: f.move("z_val", "deep/values"))(tmp_path)
    with pytest.raises(SourceError, match="'deep/values'") as caught:
        importer.survey(SILENT)
    assert "--values" in caught.value.hint


def test_pointer_error_says_which_command_fetches_the_data(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        overwritten("source", lambda _: LFS)(tmp_path).survey(SILENT)
    assert "git lfs pull" in caught.value.hint


def test_duplicate_id_error_names_the_id_and_both_rows(tmp_path: Path) -> None:
    ids = META["review_ids"].copy()
    importer = metadata(review_ids=set_first_twice(ids))(tmp_path)
    with pytest.raises(SourceError, match=f"'{ids[0]}' twice: in rows 0 and 3"):
        documents_of(importer, tmp_path)


def test_undecodable_id_error_names_the_row(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="row 7"):
        documents_of(replaced("rev_idx", bad_utf8)(tmp_path), tmp_path)


def test_missing_filter_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importer = pair(tmp_path, chunks=(4, 4), compression="gzip")
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda _: False)
    monkeypatch.setitem(__import__("sys").modules, "hdf5plugin", None)
    with pytest.raises(MissingExtra) as caught:
        importer.survey(SILENT)
    assert "saeatlas[hdf5-filters]" in caught.value.hint


def test_unknown_filter_is_a_source_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importer = pair(tmp_path, chunks=(4, 4), compression="gzip")
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda _: False)
    with pytest.raises(SourceError, match="filter 1"):
        importer.survey(SILENT)


@pytest.mark.parametrize(
    ("n_rows", "k", "n_shards"),
    [(50_000_000, 32, 20), (10_000_000, 32, 4), (9_000_000, 32, 4), (50_000_000, 1, 7), (50_000_000, 48, 25)],
)
def test_shards_are_even_hold_two_to_eight_million_rows_and_end_on_chunks(
    tmp_path: Path, n_rows: int, k: int, n_shards: int
) -> None:
    importer = pair(tmp_path, random_topk(0, k=4), chunks=(7, 4))
    survey = importer.survey(SILENT)
    shards = importer.shards(type(survey)(**{**vars(survey), "n_rows": n_rows, "k": k}))
    lengths = [len(shard) for shard in shards]
    assert len(shards) == n_shards
    assert all(shard.stop % 7 == 0 for shard in shards[:-1])
    assert max(lengths) - min(lengths) < 7 * n_shards
    assert 1_999_000 < min(lengths) <= max(lengths) <= 8_000_000


def test_segments_of_fewer_than_no_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="found: -1"):
        H5TopK(pair(tmp_path).source, sae="s", shard_rows=-1).survey(SILENT)


def test_identity_states_what_was_given_and_leaves_the_rest_unknown(tmp_path: Path) -> None:
    source = pair(tmp_path).source
    identity = H5TopK(source, sae="s", model="gpt2", layer=8, context_window=64).survey(SILENT).identity
    assert (identity.model, identity.layer, identity.context_window) == ("gpt2", 8, 64)
    assert {"hook", "width", "architecture", "k", "bos"} <= set(identity.unknown())


def test_slots_are_k_only_of_a_topk_sae(tmp_path: Path) -> None:
    source = pair(tmp_path).source
    assert H5TopK(source, sae="s", architecture="topk").survey(SILENT).identity.k == 4
    assert H5TopK(source, sae="s", architecture="jumprelu").survey(SILENT).identity.k is None


def test_corpus_is_named_for_the_metadata_file(tmp_path: Path) -> None:
    importer = pair(tmp_path)
    odd = tmp_path / "méta data (1).npz"
    shutil.copy(importer.metadata, odd)
    assert importer.survey(SILENT).corpus == "meta"
    assert H5TopK(importer.source, metadata=str(odd), sae="s").survey(SILENT).corpus == "m-ta-data-1"
    assert H5TopK(importer.source, sae="s").survey(SILENT).corpus == "acts"
    with pytest.raises(InvalidInput):
        H5TopK(importer.source, sae="s", corpus="no/name").survey(SILENT)


def test_fingerprint_follows_content_and_not_place(tmp_path: Path) -> None:
    importer = pair(tmp_path)
    (tmp_path / "other").mkdir()
    copied = tmp_path / "other" / "copy.h5"
    shutil.copyfile(importer.source, copied)
    assert fingerprint(copied) == fingerprint(Path(importer.source))
    with h5py.File(copied, "r+") as file:
        file["z_val"][0, 0] += 1
    assert fingerprint(copied) != fingerprint(Path(importer.source))


def test_fingerprint_of_a_large_file_sees_size_time_and_both_ends(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64_000_001)
    os.utime(path, ns=(10, 10))
    first = fingerprint(path)
    for change_at in (0, 64_000_000):
        with path.open("r+b") as file:
            file.seek(change_at)
            file.write(b"x")
        os.utime(path, ns=(10, 10))
        assert fingerprint(path) != first
        first = fingerprint(path)
    os.utime(path, ns=(10, 11))
    assert fingerprint(path) != first


def test_another_tokenizer_changes_only_the_tokens(tmp_path: Path) -> None:
    importer = pair(tmp_path)
    other = H5TopK(importer.source, metadata=importer.metadata, sae="s", add_special_tokens=True)
    assert importer.params("activations") == other.params("activations")
    assert importer.params("documents") == other.params("documents")
    assert importer.params("tokens") != other.params("tokens")


def test_tokens_from_two_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="both were given"):
        H5TopK(pair(tmp_path).source, sae="s", tokens="a", tokenizer="b").survey(SILENT)
