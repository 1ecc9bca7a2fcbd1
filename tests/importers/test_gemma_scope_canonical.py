"""Which Gemma Scope SAE is the canonical one."""

from __future__ import annotations

import pytest

from saeatlas.importers._gemma_scope_canonical import canonical_l0, labelled_l0

# Layer, L0s of width 16k that the repository of the 2B model has, and the canonical one.
TABLE = """
0: 105 13 226 25 46 -> 105
1: 10 102 20 250 40 -> 102
2: 13 141 142 24 304 53 -> 141
3: 14 142 28 315 59 -> 59
4: 124 125 17 281 31 60 -> 124
5: 143 18 309 34 68 -> 68
6: 144 19 301 36 70 -> 70
7: 137 20 285 36 69 -> 69
8: 142 20 301 37 71 -> 71
9: 151 21 340 37 73 -> 73
10: 166 21 39 395 77 -> 77
11: 168 22 393 41 79 80 -> 80
12: 176 22 41 445 82 -> 82
13: 173 23 403 43 83 84 -> 84
14: 173 23 388 43 83 84 -> 84
15: 150 23 308 41 78 -> 78
16: 154 23 335 42 78 -> 78
17: 150 23 304 42 77 -> 77
18: 138 23 280 40 74 -> 74
19: 137 23 279 40 73 -> 73
20: 139 22 294 38 71 -> 71
21: 139 22 301 38 70 -> 70
22: 147 21 349 38 72 -> 72
23: 157 21 38 404 74 75 -> 75
24: 158 20 38 457 73 -> 73
25: 116 16 28 285 55 -> 116
"""
ROWS = [line.replace("->", ":").split(":") for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("layer", "choices", "canonical"), ROWS, ids=lambda text: text.strip())
def test_canonical_sae_of_the_small_model_is_one_that_exists(layer: str, choices: str, canonical: str) -> None:
    found = canonical_l0("google/gemma-scope-2b-pt-res", "16k", int(layer))
    assert found is not None and found.verified
    assert found.l0 == int(canonical)
    assert canonical.strip() in choices.split()


def test_first_by_name_is_the_canonical_one_on_three_layers_only() -> None:
    same = [int(layer) for layer, choices, canonical in ROWS if min(choices.split()) == canonical.strip()]
    assert same == [0, 4, 25]


def test_list_of_the_larger_model_is_unverified() -> None:
    found = [canonical_l0("google/gemma-scope-9b-pt-res", "16k", layer) for layer in range(42)]
    assert all(canonical is not None and not canonical.verified for canonical in found)
    assert (found[0].l0, found[14].l0, found[41].l0) == (129, 67, 113)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("repository", "width", "layer"),
    [
        ("google/gemma-scope-2b-pt-res", "16k", 26),
        ("google/gemma-scope-2b-pt-res", "16k", -1),
        ("google/gemma-scope-2b-pt-res", "65k", 12),
        ("google/gemma-scope-2b-pt-mlp", "16k", 12),
        ("google/gemma-scope-9b-pt-res", "16k", 42),
    ],
)
def test_what_is_not_in_the_table_is_not_guessed(repository: str, width: str, layer: int) -> None:
    assert canonical_l0(repository, width, layer) is None


def test_labels_name_the_canonical_sae_unless_they_have_a_suffix() -> None:
    assert labelled_l0("gemma-2-2b", "12-gemmascope-res-16k") == 82
    assert labelled_l0("gemma-2-2b", "12-gemmascope-res-16k__l0-22") is None
    assert labelled_l0("gemma-2-2b", "12-gemmascope-mlp-16k") is None
    assert labelled_l0("gemma-2-9b", "12-gemmascope-res-16k") is None
    assert labelled_l0("gemma-2-2b", "26-gemmascope-res-16k") is None
