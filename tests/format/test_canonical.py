"""Equal values hash equally, and a document notices any changed byte in itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.errors import FormatError, InvalidInput
from saeatlas.format.canonical import canonical_json, digest_bytes, plain, read_document, take, write_document

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
RECORD = {"format": 1, "params": {"checksum": "0" * 64, "name": 'été "checksum"'}, "value": 1e-05}


@settings(deadline=None, max_examples=50)
@given(VALUES)
def test_canonical_json_reads_back(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(), st.integers(), max_size=6))
def test_order_of_members_does_not_show(record: dict[str, int]) -> None:
    assert canonical_json(record) == canonical_json(dict(reversed(list(record.items()))))


def test_canonical_json_is_compact_and_sorted() -> None:
    assert canonical_json({"b": [1, 2.5, None], "a": "é"}) == '{"a":"é","b":[1,2.5,null]}'.encode()


def test_numpy_scalars_and_tuples_are_plain() -> None:
    value = {"a": (np.int64(1), np.float32(0.5), np.bool_(True), np.str_("x"))}  # noqa: FBT003
    assert canonical_json(value) == b'{"a":[1,0.5,true,"x"]}'


def test_file_name_that_is_not_utf8_has_json() -> None:
    assert json.loads(canonical_json("a\udcffb")) == "a\udcffb"


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), np.float64("nan"), {1: 2}, {"a": {2}}, object(), np.zeros(2), b"x"]
)
def test_value_without_json_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        canonical_json(value)


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_value_of_too_many_levels_is_refused(wrap: Callable[[object], object]) -> None:
    value: object = 1
    for _ in range(100):
        value = wrap(value)
    assert json.loads(canonical_json(value)) == value
    for _ in range(800):
        value = wrap(value)
    with pytest.raises(InvalidInput, match="100 levels"):
        canonical_json(value)


def test_digest_is_sha256() -> None:
    assert digest_bytes(b"abc") == hashlib.sha256(b"abc").hexdigest()


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text().filter(lambda name: name != "checksum"), VALUES, max_size=5))
def test_document_reads_back(record: dict[str, object]) -> None:
    assert read_document(write_document(record), "x.json") == plain(record)


def test_checksum_needs_no_knowledge_of_the_layout() -> None:
    data = write_document(RECORD)
    found = json.loads(data)["checksum"]
    assert hashlib.sha256(data.replace(found.encode(), b"0" * 64)).hexdigest() == found


def test_every_flipped_bit_is_found() -> None:
    data = write_document(RECORD)
    for index in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[index] ^= 1 << bit
            with pytest.raises(FormatError, match=r"x\.json"):
                read_document(bytes(flipped), "x.json")


def test_every_truncation_is_found() -> None:
    data = write_document(RECORD)
    for length in range(len(data)):
        with pytest.raises(FormatError, match=r"x\.json"):
            read_document(data[:length], "x.json")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"1", b'{"a": NaN}', b"\xff", b"[" * 100_000, b'{"checksum": 5}'])
def test_other_bytes_are_corrupt(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        read_document(data, "x.json")
    assert caught.value.kind == "corrupt-artifact"


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [(3, int, 3), (3, float, 3.0), (0.5, float, 0.5), (True, bool, True), ("x", str, "x")],
)
def test_member_of_its_type_is_taken(value: object, kind: type, expected: object) -> None:
    assert take({"a": value}, "a", kind, "x.json") == expected


@pytest.mark.parametrize(
    ("value", "kind"), [(True, int), (True, float), (1.5, int), ("1", int), (None, str), (1, bool)]
)
def test_member_of_another_type_is_corrupt(value: object, kind: type) -> None:
    with pytest.raises(FormatError, match=r"'x\.json' must have a member 'a'"):
        take({"a": value}, "a", kind, "x.json")


def test_missing_member_is_corrupt() -> None:
    with pytest.raises(FormatError, match="found: nothing"):
        take({}, "a", str, "x.json")
