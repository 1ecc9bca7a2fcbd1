"""Identities state what is known, and refuse to be mixed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.errors import Conflict, FormatError, InvalidInput
from saeatlas.format.identity import SaeIdentity, check_name, merge_identities

KNOWN: dict[str, Any] = {
    "model": "gpt2",
    "hook": "blocks.8.hook_resid_pre",
    "layer": 8,
    "width": 24576,
    "architecture": "topk",
    "k": 32,
    "l0": 31.5,
    "revision": "main",
    "weights_digest": "ab" * 32,
    "input_normalization": "none",
    "context_window": 64,
    "bos": False,
    "attention": "causal",
}
FACTS = st.fixed_dictionaries({}, optional={name: st.just(value) for name, value in KNOWN.items()})


@settings(deadline=None)
@given(FACTS)
def test_identity_reads_back(facts: dict[str, Any]) -> None:
    identity = SaeIdentity(name="a", **facts)
    assert SaeIdentity.from_json(identity.to_json()) == identity


@settings(deadline=None)
@given(FACTS)
def test_unknown_facts_are_named(facts: dict[str, Any]) -> None:
    assert set(SaeIdentity(name="a", **facts).unknown()) == KNOWN.keys() - facts.keys()


@settings(deadline=None)
@given(FACTS, FACTS)
def test_merge_knows_what_either_knows(a: dict[str, Any], b: dict[str, Any]) -> None:
    merged = merge_identities(SaeIdentity(name="a", **a), SaeIdentity(name="a", **b))
    assert merged == SaeIdentity(name="a", **(a | b))


@pytest.mark.parametrize("name", KNOWN)
def test_any_differing_fact_is_refused(name: str) -> None:
    other = {"bos": True, "attention": "bidirectional"}.get(name, KNOWN[name] * 2)
    with pytest.raises(Conflict) as caught:
        merge_identities(SaeIdentity(name="a", **KNOWN), SaeIdentity(name="a", **(KNOWN | {name: other})))
    assert caught.value.kind == "identity-mismatch"


def test_differing_identities_are_shown_side_by_side() -> None:
    here = SaeIdentity(name="l8", model="gpt2", k=32, bos=True)
    there = SaeIdentity(name="l8", layer=3, k=64, bos=False)
    with pytest.raises(Conflict) as caught:
        merge_identities(here, there)
    assert caught.value.message.splitlines() == [
        "The data are of two different SAEs:",
        "     fact   here     there",
        "     name   l8       l8",
        "     model  gpt2     unknown",
        "     layer  unknown  3",
        "  ≠  k      32       64",
        "  ≠  bos    yes      no",
    ]


def test_differing_names_are_refused() -> None:
    with pytest.raises(Conflict):
        merge_identities(SaeIdentity(name="a"), SaeIdentity(name="b"))


def test_digest_depends_on_every_fact() -> None:
    base = SaeIdentity(name="a", **KNOWN)
    others = [dataclasses.replace(base, **{name: None}).digest() for name in KNOWN]
    assert len({base.digest(), *others}) == len(KNOWN) + 1


def test_whole_l0_has_one_digest() -> None:
    assert SaeIdentity(name="a", l0=32).digest() == SaeIdentity(name="a", l0=32.0).digest()


def test_members_of_later_versions_are_left_out() -> None:
    assert SaeIdentity.from_json({"name": "a", "later": 5}) == SaeIdentity(name="a")


@pytest.mark.parametrize("record", [{}, {"name": "a", "layer": "8"}, {"name": "a", "bos": 1}, {"name": 5}])
def test_wrong_record_is_corrupt(record: dict[str, object]) -> None:
    with pytest.raises(FormatError) as caught:
        SaeIdentity.from_json(record)
    assert caught.value.kind == "corrupt-artifact"


@pytest.mark.parametrize(
    "facts",
    [
        {"layer": -1},
        {"layer": True},
        {"layer": 1.5},
        {"width": 0},
        {"k": "32"},
        {"l0": float("nan")},
        {"l0": float("inf")},
        {"bos": "yes"},
        {"attention": "both"},
        {"model": 5},
        {"model": ""},
    ],
)
def test_wrong_fact_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(facts))):
        SaeIdentity(name="a", **facts)


@pytest.mark.parametrize("name", ["a", "gpt2-l8", "A.b_c-9", "9", "x" * 100])
def test_name_is_accepted(name: str) -> None:
    assert check_name(name, "an SAE") == name


@pytest.mark.parametrize("name", ["", ".", "..", "-a", "a b", "a/b", "été", "x" * 101, "a\n", None])
def test_other_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidInput, match="an SAE"):
        check_name(name, "an SAE")
