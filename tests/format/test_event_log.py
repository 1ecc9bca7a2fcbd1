"""The log of events: whole lines are kept for ever, torn ones are passed over, damaged ones are named."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.errors import FormatError, InvalidInput
from saeatlas.format.event_id import check_event_id, new_event_ids
from saeatlas.format.event_log import EventLog, append_records, check_log, log_line, put_records
from saeatlas.storage import LocalStore, MemoryStore, Store

PREFIX = "labels/x"
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(st.text(string.ascii_letters, min_size=1, max_size=8), values, min_size=1, max_size=5)


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "a.atlas", create=True) if request.param == "local" else MemoryStore()


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "b.atlas", create=True)


def grown(store: LocalStore) -> Path:
    return store.path / "labels" / "x" / "log.jsonl"


# Ids


@settings(max_examples=50)
@given(n=st.integers(1, 50), after=st.integers(0, 2**40))
def test_ids_ascend_and_follow_what_was_seen(n: int, after: int) -> None:
    before = new_event_ids(1)[0] if after % 2 else f"{after:012x}"[:8] + "-0000-7000-8000-000000000000"
    found = new_event_ids(n, before)
    assert found == sorted({*found})
    assert found[0] > before
    assert all(check_event_id(one) == one for one in found)


def test_id_goes_on_from_a_clock_that_runs_ahead() -> None:
    ahead = "ffffffff-0000-7000-8000-000000000000"
    assert min(new_event_ids(100, ahead)) > ahead


def test_processes_do_not_agree_on_an_id_by_chance() -> None:
    ahead = "ffffffff-0000-7000-8000-000000000000"
    assert len({new_event_ids(1, ahead)[0] for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "text", ["", "x", 7, None, "01939b5e-8a3c-4cc3-98c5-0f5e0a6b7d11", "01939B5E-8A3C-7CC3-98C5-0F5E0A6B7D11"]
)
def test_other_texts_are_no_ids(text: object) -> None:
    with pytest.raises(InvalidInput):
        check_event_id(text)


# Lines


@settings(max_examples=100)
@given(record=records)
def test_line_says_its_record_and_is_one_line(record: dict[str, object]) -> None:
    record.pop("checksum", None)
    line = log_line({**record, "z": 0})
    assert line.count(b"\n") == 1 and line.endswith(b"\n") and b"\x18" not in line
    store = MemoryStore()
    append_records(store, PREFIX, [{**record, "z": 0}], "1")
    assert EventLog(store, PREFIX).new_records() == [{**record, "z": 0}]


def test_any_changed_byte_is_found(local: LocalStore) -> None:
    append_records(local, PREFIX, [{"text": "refunds", "n": 1}], "1")
    data = grown(local).read_bytes()
    for place in range(len(data) - 1):
        for flip in (1, 32):
            changed = bytes([*data[:place], data[place] ^ flip, *data[place + 1 :]])
            if b"\n" in changed[:-1]:
                continue
            grown(local).write_bytes(changed)
            with pytest.raises(FormatError, match=r"log\.jsonl"):
                EventLog(local, PREFIX).new_records()


def test_event_above_the_limit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at most"):
        log_line({"features": list(range(3_000_000))})


# Reading on


def test_only_what_was_added_is_read(store: Store) -> None:
    log = EventLog(store, PREFIX)
    assert (log.new_records(), log.position) == ([], 0)
    for number in range(3):
        append_records(store, PREFIX, [{"n": number}], f"{number}")
        before = log.position
        assert log.new_records() == [{"n": number}]
        assert log.position > before
    assert log.new_records() == []
    assert len(EventLog(store, PREFIX).new_records() or ()) == 3


def test_batch_of_its_own_is_read_beside_the_log_that_grows(store: Store) -> None:
    log = EventLog(store, PREFIX)
    append_records(store, PREFIX, [{"n": 0}], "0")
    put_records(store, PREFIX, [{"n": 1}, {"n": 2}], "1")
    append_records(store, PREFIX, [{"n": 3}], "2")
    assert sorted(str(record) for record in log.new_records() or ()) == [str({"n": n}) for n in range(4)]


def test_line_without_an_end_is_read_when_it_has_one(local: LocalStore) -> None:
    append_records(local, PREFIX, [{"n": 0}], "0")
    log = EventLog(local, PREFIX)
    line = log_line({"n": 1})
    with grown(local).open("ab") as file:
        file.write(line[:20])
    assert log.new_records() == [{"n": 0}]
    with grown(local).open("ab") as file:
        file.write(line[20:])
    assert log.new_records() == [{"n": 1}]


@pytest.mark.parametrize("length", [1, 20, -1])
def test_torn_line_is_passed_over_and_the_rest_is_read(local: LocalStore, length: int) -> None:
    append_records(local, PREFIX, [{"n": 0}], "0")
    log = EventLog(local, PREFIX)
    with grown(local).open("ab") as file:
        file.write(log_line({"n": 1})[:length])
    assert [problem.kind for problem in check_log(local, PREFIX)[0]] == ["torn-line"]
    assert log.new_records() == [{"n": 0}]
    append_records(local, PREFIX, [{"n": 2}], "2")
    assert log.new_records() == [{"n": 2}]
    assert EventLog(local, PREFIX).new_records() == [{"n": 0}, {"n": 2}]
    assert check_log(local, PREFIX)[0] == []


def test_damaged_line_is_named_again_and_again_and_nothing_else_is_answered(local: LocalStore) -> None:
    for number in range(3):
        append_records(local, PREFIX, [{"n": number}], f"{number}")
    grown(local).write_bytes(grown(local).read_bytes().replace(b'"n":1', b'"n":7'))
    log = EventLog(local, PREFIX)
    for _ in range(2):
        with pytest.raises(FormatError, match="line 2") as caught:
            log.new_records()
        assert caught.value.kind == "digest-mismatch"
    problems, n_files, _ = check_log(local, PREFIX)
    assert ([(one.kind, "line 2" in one.message) for one in problems], n_files) == ([("digest-mismatch", True)], 1)


def test_log_that_became_shorter_is_read_anew(local: LocalStore) -> None:
    append_records(local, PREFIX, [{"n": 0}], "0")
    kept = grown(local).read_bytes()
    append_records(local, PREFIX, [{"n": 1}], "1")
    log = EventLog(local, PREFIX)
    log.new_records()
    grown(local).write_bytes(kept)
    assert log.new_records() is None
    assert log.new_records() == [{"n": 0}]


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"null", b"{}", b"\xff", b'{"n":1}', b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}"]
)
def test_line_that_is_no_event_is_damage(local: LocalStore, line: bytes) -> None:
    append_records(local, PREFIX, [{"n": 0}], "0")
    with grown(local).open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(FormatError, match="line 2"):
        EventLog(local, PREFIX).new_records()


def test_line_is_json_for_anyone(local: LocalStore) -> None:
    append_records(local, PREFIX, [{"text": '日本 \u2028 "x"', "n": 0.5}], "0")
    found = json.loads(grown(local).read_text(encoding="utf-8").split("\n")[0])
    assert (found["text"], found["n"]) == ('日本 \u2028 "x"', 0.5)
