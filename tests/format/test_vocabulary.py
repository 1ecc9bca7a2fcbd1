"""Tokens of a model by id, from tokenizers, lists and tables; which are special is what the file says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.format.vocabulary import Vocabulary, read_vocabulary


def tokens(vocabulary: Vocabulary) -> list[tuple[int, str, bool]]:
    return list(zip(vocabulary.ids.tolist(), vocabulary.strings, vocabulary.is_special.tolist(), strict=True))


def written(path: Path, record: Any) -> Path:
    path.write_text(json.dumps(record))
    return path


def test_byte_level_tokenizer(tmp_path: Path) -> None:
    record = {
        "model": {"type": "BPE", "vocab": {"Ġcat": 0, "Ċ": 1, "cafÃ©": 2}},
        "decoder": {"type": "ByteLevel"},
        "added_tokens": [
            {"id": 3, "content": "<|endoftext|>", "special": True},
            {"id": 4, "content": "<extra>", "special": False},
        ],
    }
    written(tmp_path / "tokenizer.json", record)
    expected = [
        (0, " cat", False),
        (1, "\n", False),
        (2, "café", False),
        (3, "<|endoftext|>", True),
        (4, "<extra>", False),
    ]
    assert tokens(read_vocabulary(tmp_path / "tokenizer.json")) == expected
    assert tokens(read_vocabulary(tmp_path)) == expected


def test_unigram_tokenizer_with_special_tokens_in_its_vocabulary(tmp_path: Path) -> None:
    record = {
        "model": {"type": "Unigram", "vocab": [["<pad>", 0.0], ["▁the", -1.5], ["<0x0A>", -2.0], ["<0xZZ>", -2.0]]},
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace"}, {"type": "ByteFallback"}]},
        "added_tokens": [{"id": 0, "content": "<pad>", "special": True}],
    }
    found = tokens(read_vocabulary(written(tmp_path / "t.json", record)))
    assert found == [(0, "<pad>", True), (1, " the", False), (2, "\n", False), (3, "<0xZZ>", False)]


def test_object_of_ids_and_list_of_tokens(tmp_path: Path) -> None:
    plain = written(tmp_path / "v.json", {"<PAD>": 3, "a": 0, "b": 1})
    assert tokens(read_vocabulary(plain)) == [(0, "a", False), (1, "b", False), (3, "<PAD>", False)]
    assert tokens(read_vocabulary(written(tmp_path / "l.json", ["x", "y"]))) == [(0, "x", False), (1, "y", False)]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv"])
def test_tables(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    table = pa.table({"id": [1, 0], "string": ["null", " a"], "special": [True, False]})
    if suffix == ".parquet":
        pq.write_table(table, path)
    else:
        separator = "," if suffix == ".csv" else "\t"
        path.write_text(
            separator.join(["id", "string", "special"])
            + f'\n1{separator}null{separator}true\n0{separator}" a"{separator}false\n'
        )
    assert tokens(read_vocabulary(path)) == [(0, " a", False), (1, "null", True)]


def test_words_may_be_excluded(tmp_path: Path) -> None:
    vocabulary = read_vocabulary(written(tmp_path / "v.json", {"<PAD>": 2, "a": 0, "<NULL>": 1}))
    assert vocabulary.excluding(["<PAD>", "<NULL>"]).is_special.tolist() == [False, True, True]
    assert vocabulary.excluding([]).is_special.tolist() == [False] * 3
    with pytest.raises(InvalidInput, match="'<pad>'"):
        vocabulary.excluding(["<pad>"])


@pytest.mark.parametrize(
    "record",
    [
        3,
        {},
        [],
        ["a", "a"],
        ["a", 1],
        {"a": "b"},
        {"a": -1},
        {"a": True},
        {"a": 2**40},
        {"model": {}},
        {"model": {"vocab": {"a": 0}}, "added_tokens": [{"content": "x"}]},
        {"model": {"vocab": {"a": 0}}, "added_tokens": {"x": 1}},
    ],
    ids=str,
)
def test_what_is_no_vocabulary_is_refused(tmp_path: Path, record: Any) -> None:
    with pytest.raises(SourceError) as caught:
        read_vocabulary(written(tmp_path / "v.json", record))
    assert caught.value.kind == "wrong-file-type"


def test_other_faults(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="twice"):
        read_vocabulary(written(tmp_path / "v.json", {"a": 1, "b": 1}))
    (tmp_path / "x.json").write_text("[" * 100_000)
    with pytest.raises(SourceError):
        read_vocabulary(tmp_path / "x.json")
    pq.write_table(pa.table({"id": [1]}), tmp_path / "t.parquet")
    with pytest.raises(SourceError, match="'string'"):
        read_vocabulary(tmp_path / "t.parquet")
    with pytest.raises(SourceError, match="no vocabulary file"):
        read_vocabulary(tmp_path / "none.json")
