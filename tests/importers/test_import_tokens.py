"""Tokens of rows: beside the right rows, never shifted, and none where counts disagree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

import saeatlas as sa
from saeatlas.errors import MissingExtra, SourceError
from saeatlas.format.documents import DocumentsReader
from saeatlas.format.tokens import COUNT_DIFFERS, NO_TEXT, NO_TOKENS, OK, TokensReader
from saeatlas.importers._tokenizer import SourceTokenizer, find_tokenizer
from saeatlas.importers.h5_topk import H5TopK
from saeatlas.progress import SILENT, Event, Progress
from saeatlas.storage import LocalStore
from saeatlas.testing.importer_contract import documents_of
from saeatlas.testing.topk_source import TopkSource, random_topk

WORDS = [f"w{i}" for i in range(7)]


def word_tokenizer(path: Path) -> Path:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, **{word: i + 10 for i, word in enumerate(WORDS)}}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=64)
    tokenizer.save(str(path))
    return path


def bytes_tokenizer(path: Path) -> Path:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: i for i, character in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(path))
    return path


def imported(
    directory: Path,
    source: TopkSource,
    said: list[Event] | None = None,
    *,
    changed: dict[str, Any] | None = None,
    **fields: Any,
) -> tuple[DocumentsReader, TokensReader]:
    source.write_hdf5(directory / "a.h5")
    source.write_npz(directory / "m.npz", **(changed or {}))
    importer = H5TopK(str(directory / "a.h5"), metadata=str(directory / "m.npz"), sae="s", **fields)
    importer.survey(SILENT)
    documents = documents_of(importer, directory)
    folder = directory / "tokens"
    folder.mkdir()
    attributes = importer.write_tokens(folder, documents, Progress(said.append if said is not None else None))
    assert attributes is not None
    return documents, TokensReader(LocalStore(directory), "tokens", attributes)


def positions(source: TopkSource) -> list[int]:
    return [int((source.document[:row] == of).sum()) for row, of in enumerate(source.document)]


def token_table(source: TopkSource, **columns: Any) -> pa.Table:
    at = positions(source)
    base = {"document": [source.ids[of] for of in source.document], "position": at, "string": [f" t{p}" for p in at]}
    return pa.table({name: column for name, column in {**base, **columns}.items() if column is not None})


def from_table(directory: Path, source: TopkSource, table: pa.Table, said: list[Event] | None = None) -> Any:
    pq.write_table(table, directory / "t.parquet")
    return imported(directory, source, said, tokens=str(directory / "t.parquet"))


@pytest.mark.parametrize("contiguous", [True, False])
def test_tokenised_words_stand_beside_their_rows(tmp_path: Path, *, contiguous: bool) -> None:
    source = random_topk(1, contiguous=contiguous)
    _, tokens = imported(tmp_path, source, tokenizer=str(word_tokenizer(tmp_path / "t.json")))
    found = tokens.strings(tokens.read(0, source.document.size))
    assert found == [f"w{position % 7}" for position in positions(source)]


def test_vocabulary_holds_only_tokens_that_occur(tmp_path: Path) -> None:
    _, tokens = imported(tmp_path, random_topk(1), tokenizer=str(word_tokenizer(tmp_path / "t.json")))
    assert tokens.vocabulary()["id"].to_pylist() == [i + 10 for i in range(7)]


def test_spans_are_characters_of_the_text(tmp_path: Path) -> None:
    documents, tokens = imported(tmp_path, random_topk(1), tokenizer=str(word_tokenizer(tmp_path / "t.json")))
    rows = np.arange(documents.n_rows)
    document, _ = documents.locate(rows)
    texts = documents.texts(0, documents.n_documents)
    cut = [(texts[d] or "")[start:end] for d, (start, end) in zip(document, tokens.spans(rows).tolist(), strict=True)]
    assert cut == tokens.strings(tokens.tokens(rows))


def test_documents_whose_count_differs_are_unavailable_and_told(tmp_path: Path) -> None:
    source = random_topk(1)
    texts = source.metadata()["texts"].astype("U200")
    texts[2] += " w1"
    said: list[Event] = []
    tokenizer = str(word_tokenizer(tmp_path / "t.json"))
    _, tokens = imported(tmp_path, source, said, changed={"texts": texts}, tokenizer=tokenizer)
    assert tokens.statuses().tolist() == [COUNT_DIFFERS if d == 2 else OK for d in range(9)]
    assert any("1 documents have another number" in event.text and "doc-002" in event.text for event in said)


def test_documents_without_text_say_so(tmp_path: Path) -> None:
    source = random_topk(1)
    texts = source.metadata()["texts"].astype(object)
    texts[3] = None
    tokenizer = str(word_tokenizer(tmp_path / "t.json"))
    _, tokens = imported(tmp_path, source, changed={"texts": texts}, tokenizer=tokenizer, trust_pickle=True)
    assert tokens.status(3) == NO_TEXT


def test_tokenizer_with_which_no_document_agrees_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="another number of tokens") as caught:
        imported(tmp_path, random_topk(1), tokenizer=str(bytes_tokenizer(tmp_path / "t.json")))
    assert caught.value.kind == "tokenizer-mismatch"


def test_byte_level_tokens_read_as_text(tmp_path: Path) -> None:
    tokenizer = SourceTokenizer(bytes_tokenizer(tmp_path / "t.json"))
    encoded = tokenizer.encode(["a é\n"])[0]
    assert tokenizer.strings(encoded.ids) == ["a", " ", "�", "�", "\n"]
    assert encoded.spans.tolist() == [[0, 1], [1, 2], [2, 3], [2, 3], [3, 4]]


def test_byte_level_word_joins_its_bytes(tmp_path: Path) -> None:
    path = bytes_tokenizer(tmp_path / "t.json")
    record = json.loads(path.read_text())
    record["model"]["vocab"]["ĠcafÃ©"] = 256
    path.write_text(json.dumps(record))
    assert SourceTokenizer(path).strings([256]) == [" café"]


def test_sentence_pieces_read_with_spaces_and_bytes(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.BPE({"▁the": 0, "<0x0A>": 1, "<0xE2>": 2}, []))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.save(str(tmp_path / "t.json"))
    assert SourceTokenizer(tmp_path / "t.json").strings([0, 1, 2]) == [" the", "\n", "�"]


def test_special_tokens_read_as_they_are_written(tmp_path: Path) -> None:
    path = bytes_tokenizer(tmp_path / "t.json")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.add_special_tokens(["<|end of text|>"])
    tokenizer.save(str(path))
    assert SourceTokenizer(path).strings([256]) == ["<|end of text|>"]


def test_something_else_than_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"a": 1}')
    with pytest.raises(SourceError) as caught:
        SourceTokenizer(tmp_path / "t.json").strings([])
    assert caught.value.kind == "wrong-file-type"


def test_missing_tokenizers_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(MissingExtra) as caught:
        SourceTokenizer(word_tokenizer(tmp_path / "t.json")).strings([])
    assert "saeatlas[tokenizers]" in caught.value.hint


def test_tokenizer_is_found_by_name_in_the_local_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "models--some--model"
    for revision in ("aaa", "bbb"):
        (folder / "snapshots" / revision).mkdir(parents=True)
        word_tokenizer(folder / "snapshots" / revision / "tokenizer.json")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("bbb")
    assert find_tokenizer("some/model") == folder / "snapshots" / "bbb" / "tokenizer.json"


def test_tokenizer_is_found_in_a_folder(tmp_path: Path) -> None:
    path = word_tokenizer(tmp_path / "tokenizer.json")
    assert find_tokenizer(str(tmp_path)) == path


@pytest.mark.parametrize("contiguous", [True, False])
def test_table_tokens_stand_beside_their_rows_in_any_order(tmp_path: Path, *, contiguous: bool) -> None:
    source = random_topk(2, contiguous=contiguous)
    table = token_table(source)
    table = table.take(np.random.default_rng(0).permutation(table.num_rows))
    _, tokens = from_table(tmp_path, source, table)
    assert tokens.strings(tokens.read(0, source.document.size)) == [f" t{p}" for p in positions(source)]


def test_table_ids_and_spans_are_kept(tmp_path: Path) -> None:
    source = random_topk(2)
    at = np.array(positions(source))
    _, tokens = from_table(tmp_path, source, token_table(source, id=at + 100, start=at * 2, end=at * 2 + 1))
    assert tokens.vocabulary()["id"].to_pylist() == [100 + i for i in range(at.max() + 1)]
    assert tokens.vocabulary()["string"].to_pylist() == [f" t{i}" for i in range(at.max() + 1)]
    assert tokens.spans(np.arange(at.size)).tolist() == [[2 * p, 2 * p + 1] for p in at.tolist()]


def test_table_with_ids_only_shows_them_as_strings(tmp_path: Path) -> None:
    source = random_topk(2)
    _, tokens = from_table(tmp_path, source, token_table(source, string=None, id=positions(source)))
    assert tokens.strings([0]) == ["<0>"]


def test_table_ids_with_two_strings_keep_the_first_and_say_so(tmp_path: Path) -> None:
    source = random_topk(2)
    said: list[Event] = []
    strings = ["first", *["second"] * (source.document.size - 1)]
    pq.write_table(token_table(source, id=[5] * source.document.size, string=strings), tmp_path / "t.parquet")
    _, tokens = imported(tmp_path, source, said, tokens=str(tmp_path / "t.parquet"))
    assert tokens.vocabulary()["string"].to_pylist() == ["first"]
    assert any("more than one string" in event.text for event in said)


def test_documents_with_missing_or_extra_positions_are_unavailable(tmp_path: Path) -> None:
    source = random_topk(2)
    table = token_table(source)
    keep = np.ones(table.num_rows, np.bool_)
    keep[source.document_rows(0)[0]] = False
    keep[source.document_rows(4)] = False
    extra = pa.table({"document": [source.ids[1]], "position": [99], "string": ["x"]}, schema=table.schema)
    _, tokens = from_table(tmp_path, source, pa.concat_tables([table.filter(pa.array(keep)), extra]))
    expected = [COUNT_DIFFERS, COUNT_DIFFERS, OK, OK, NO_TOKENS, OK, OK, OK, OK]
    assert tokens.statuses().tolist() == expected


def test_documents_of_the_table_that_are_not_in_the_corpus_are_told(tmp_path: Path) -> None:
    source = random_topk(2)
    table = token_table(source)
    extra = pa.table({"document": ["stranger"], "position": [0], "string": ["x"]}, schema=table.schema)
    said: list[Event] = []
    from_table(tmp_path, source, pa.concat_tables([table, extra]), said)
    assert any("'stranger'" in event.text for event in said)


def refused(directory: Path, table: pa.Table) -> SourceError:
    with pytest.raises(SourceError) as caught:
        from_table(directory, random_topk(2), table)
    return caught.value


@pytest.mark.parametrize("split", [True, False])
def test_a_position_given_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, split: bool) -> None:
    monkeypatch.setattr("saeatlas.importers._tokens._TABLE_ROWS", 10 if split else 1000)
    table = token_table(random_topk(2))
    error = refused(tmp_path, pa.concat_tables([table, table.slice(0, 1)]))
    assert error.kind == "duplicate-id"
    assert "position 0 of document 'doc-000-é' twice" in error.message


@pytest.mark.parametrize("column", ["document", "position", "string"])
def test_table_without_a_needed_column_lists_those_there_are(tmp_path: Path, column: str) -> None:
    error = refused(tmp_path, token_table(random_topk(2)).drop_columns([column]))
    assert error.kind == "missing-dataset"
    assert "it has:" in error.message


def test_table_with_starts_but_no_ends_is_refused(tmp_path: Path) -> None:
    source = random_topk(2)
    assert refused(tmp_path, token_table(source, start=positions(source))).kind == "missing-dataset"


def test_table_with_an_empty_cell_names_its_row(tmp_path: Path) -> None:
    source = random_topk(2)
    at: list[int | None] = list(positions(source))
    at[4] = None
    error = refused(tmp_path, token_table(source, position=at))
    assert error.kind == "missing-metadata"
    assert "row 4" in error.message


def test_table_of_another_corpus_is_refused(tmp_path: Path) -> None:
    source = random_topk(2)
    error = refused(tmp_path, token_table(source, document=["x"] * source.document.size))
    assert error.kind == "missing-metadata"


def test_table_in_which_every_count_differs_is_refused(tmp_path: Path) -> None:
    table = token_table(random_topk(2))
    extra = table.set_column(1, "position", pa.array([500 + i for i in range(table.num_rows)]))
    assert refused(tmp_path, pa.concat_tables([table, extra])).kind == "tokenizer-mismatch"


def test_table_of_another_kind_or_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_text("document,position")
    for content, kind in ((b"document,position", "wrong-file-type"), (b"PAR1 and then nothing", "truncated-source")):
        path.write_bytes(content)
        random_topk(2).write_hdf5(tmp_path / "a.h5")
        with pytest.raises(SourceError) as caught:
            H5TopK(str(tmp_path / "a.h5"), tokens=str(path), sae="s").survey(SILENT)
        assert caught.value.kind == kind


def test_a_span_that_the_table_lacks_is_shown_as_unknown(tmp_path: Path) -> None:
    source = random_topk(5)
    start = [None if row % 2 else 0 for row in range(len(source.document))]
    table = token_table(source, start=pa.array(start, pa.int64()), end=pa.array(start, pa.int64()))
    pq.write_table(table, tmp_path / "t.parquet")
    source.write_hdf5(tmp_path / "a.h5")
    atlas = sa.create(tmp_path / "a.atlas")
    sae = sa.build(atlas, H5TopK(str(tmp_path / "a.h5"), sae="s", tokens=str(tmp_path / "t.parquet"))).sae()
    feature = int(sae.activations.active_counts.argmax())
    found = [t for e in sae.feature(feature).examples(n=100) for t in e.tokens]
    assert {(t.start, t.end) for t in found} == {(0, 0), (None, None)}


def test_string_that_is_missing_once_is_taken_from_where_it_stands(tmp_path: Path) -> None:
    source = random_topk(0)
    at = positions(source)
    strings = [None if row == 0 else f" t{p}" for row, p in enumerate(at)]
    _, tokens = from_table(tmp_path, source, token_table(source, id=at, string=strings))
    assert tokens.strings(tokens.tokens(np.arange(len(at)))) == [f" t{p}" for p in at]


def test_token_with_neither_id_nor_string_is_refused(tmp_path: Path) -> None:
    source = random_topk(0)
    strings = [None if row == 3 else "x" for row in range(len(source.document))]
    with pytest.raises(SourceError, match="neither an id nor a string"):
        from_table(tmp_path, source, token_table(source, string=strings))
