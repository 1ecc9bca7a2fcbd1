"""The tokens of a model by id: from a `tokenizer.json`, a JSON of ids by token, or a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.format.source_file import PARQUET_MAGIC, check_file
from saeatlas.format.token_text import TokenText

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Vocabulary", "read_vocabulary"]

_MOST_BYTES: Final = 400_000_000
_MOST_ID: Final = 1 << 31
_SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class Vocabulary:
    """Tokens, ascending by id; ids need not be without gaps."""

    ids: npt.NDArray[np.int64]
    """Ids of the model."""
    strings: tuple[str, ...]
    """What each token reads as."""
    is_special: npt.NDArray[np.bool_]
    """Whether each is a token of the model's own, such as the beginning of a sequence, by what the file says."""

    def excluding(self, words: Iterable[str]) -> Vocabulary:
        """Return the same tokens, those that read as `words` special too.

        Raises
        ------
        InvalidInput
            When no token reads as one of the words.
        """
        is_special = self.is_special.copy()
        for word in words:
            places = [place for place, string in enumerate(self.strings) if string == word]
            if not places:
                raise InvalidInput(f"No token reads as {word!r}", hint="Name tokens as the vocabulary writes them.")
            is_special[places] = True
        return Vocabulary(self.ids, self.strings, is_special)


def read_vocabulary(path: Path) -> Vocabulary:
    """Read the tokens of a model; nothing is loaded but the file.

    Parameters
    ----------
    path
        A `tokenizer.json` or the folder that holds it: tokens read as text, and special ones are those that are added
        and marked special there. Another JSON file: an object of ids by token, or a list of tokens in the order of
        their ids, none special. A table (Parquet, CSV, TSV): `id`, `string`, and maybe `special`.

    Raises
    ------
    SourceError
        When it is none of these, an id is there twice, or there is no token.
    """
    path = path / "tokenizer.json" if path.is_dir() else path
    head = check_file(path, "vocabulary")
    if path.stat().st_size > _MOST_BYTES:
        raise _wrong(path, f"it has {path.stat().st_size:,} bytes")
    if head.startswith(PARQUET_MAGIC) or path.suffix in _SEPARATORS:
        return _from_table(path)
    try:
        record = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _wrong(path, str(error)[:100]) from error
    if isinstance(record, dict) and isinstance(record.get("model"), dict):
        return _from_tokenizer(record, path)
    if isinstance(record, list):
        record = {word: number for number, word in enumerate(record)} if _are_words(record) else None
    if not isinstance(record, dict):
        raise _wrong(path, "it is neither a tokenizer nor a list of tokens")
    return _ordered([(number, word, False) for word, number in record.items()], path)


def _are_words(words: list[Any]) -> bool:
    return all(isinstance(word, str) for word in words) and len(set(words)) == len(words)


def _from_tokenizer(record: Mapping[str, Any], path: Path) -> Vocabulary:
    text = TokenText(record.get("decoder"))
    known = record["model"].get("vocab")
    if isinstance(known, list):
        # Of a unigram model: pairs of a token and its score, in the order of their ids.
        known = {pair[0]: number for number, pair in enumerate(known) if isinstance(pair, list) and pair}
    if not isinstance(known, dict):
        raise _wrong(path, "its model has no vocabulary")
    added = record.get("added_tokens") or []
    if not isinstance(added, list) or not all(isinstance(one, dict) and "id" in one for one in added):
        raise _wrong(path, "its added tokens are not a list of tokens")
    special = {one["id"]: (one["id"], str(one.get("content")), bool(one.get("special"))) for one in added}
    plain = [(number, text.read(word), False) for word, number in known.items() if number not in special]
    return _ordered([*plain, *special.values()], path)


def _from_table(path: Path) -> Vocabulary:
    table = _read_table(path)
    missing = [name for name in ("id", "string") if name not in table.column_names]
    if missing:
        raise _wrong(path, f"it has no column '{missing[0]}', only {', '.join(table.column_names)}")
    special = table["special"].to_pylist() if "special" in table.column_names else [False] * table.num_rows
    ids, strings = table["id"].to_pylist(), table["string"].to_pylist()
    return _ordered(list(zip(ids, strings, (bool(flag) for flag in special), strict=True)), path)


def _read_table(path: Path) -> pa.Table:
    import pyarrow as pa

    try:
        if path.suffix not in _SEPARATORS:
            import pyarrow.parquet as pq

            return pq.read_table(path)
        from pyarrow import csv

        # A token may read as 'null' or '1': only ids are numbers, and only an empty field of them is missing.
        convert = csv.ConvertOptions(column_types={"string": pa.string()}, strings_can_be_null=False)
        return csv.read_csv(
            path,
            parse_options=csv.ParseOptions(delimiter=_SEPARATORS[path.suffix], newlines_in_values=True),
            convert_options=convert,
        )
    except (pa.ArrowException, OSError) as error:
        raise _wrong(path, str(error)[:200]) from error


def _ordered(tokens: list[tuple[Any, Any, bool]], path: Path) -> Vocabulary:
    for number, word, _ in tokens:
        is_id = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < _MOST_ID
        if not is_id or not isinstance(word, str):
            raise _wrong(path, f"a token must be a text and its id a whole number, found: {word!r:.40}, {number!r:.40}")
    if not tokens:
        raise _wrong(path, "it has no tokens")
    ordered = sorted(tokens, key=lambda token: token[0])
    ids = np.array([number for number, _, _ in ordered], np.int64)
    again = np.flatnonzero(np.diff(ids) == 0)
    if again.size:
        raise SourceError(
            f"The vocabulary has the id {ids[again[0]]} twice: '{path}'",
            hint="Give every token an id of its own.",
            kind="duplicate-id",
        )
    strings = tuple(word for _, word, _ in ordered)
    return Vocabulary(ids, strings, np.array([flag for _, _, flag in ordered], np.bool_))


def _wrong(path: Path, why: str) -> SourceError:
    return SourceError(
        f"Not a vocabulary: '{path}': {why}",
        hint="Give the tokenizer.json of the model, a JSON of ids by token, or a table with the columns id and string.",
        kind="wrong-file-type",
    )
