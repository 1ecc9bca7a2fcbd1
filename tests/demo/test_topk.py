from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.demo.topk import Codes, TopKSae, decode, encode
from saeatlas.demo.workers import Workers


def random_sae(seed: int, n_features: int, width: int, k: int) -> TopKSae:
    generator = np.random.default_rng(seed)

    def draw(*shape: int) -> npt.NDArray[np.float32]:
        return generator.standard_normal(shape, dtype=np.float32)

    return TopKSae(draw(n_features, width), draw(n_features), draw(n_features, width), draw(width), k)


@given(seed=st.integers(0, 10**6), n_rows=st.integers(1, 9), n_features=st.integers(1, 20), data=st.data())
def test_encode_and_decode_equal_the_dense_formulas(
    seed: int, n_rows: int, n_features: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, n_features))
    sae = random_sae(seed, n_features, 3, k)
    states = np.random.default_rng(seed + 1).standard_normal((n_rows, 3), dtype=np.float32)
    with Workers(2) as workers:
        codes = encode(sae, states, workers)
    scores = (states - sae.decoder_bias) @ sae.encoder.T + sae.encoder_bias
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(codes.ids, order)
    np.testing.assert_allclose(codes.values, np.maximum(np.take_along_axis(scores, order, 1), 0), atol=1e-5)
    dense = np.zeros_like(scores)
    np.put_along_axis(dense, codes.ids, codes.values, 1)
    np.testing.assert_allclose(decode(sae, codes), dense @ sae.decoder + sae.decoder_bias, atol=1e-4)


def test_among_equal_scores_the_lower_id_wins(workers: Workers) -> None:
    sae = TopKSae(
        np.zeros((6, 2), np.float32), np.ones(6, np.float32), np.zeros((6, 2), np.float32), np.zeros(2, np.float32), 3
    )
    np.testing.assert_array_equal(encode(sae, np.ones((4, 2), np.float32), workers).ids, np.tile([0, 1, 2], (4, 1)))


def test_negative_scores_become_slots_of_value_zero(workers: Workers) -> None:
    bias = np.array([-1, 2, -3], np.float32)
    sae = TopKSae(np.zeros((3, 2), np.float32), bias, np.zeros((3, 2), np.float32), np.zeros(2, np.float32), 3)
    codes = encode(sae, np.ones((1, 2), np.float32), workers)
    assert codes.ids.tolist() == [[1, 0, 2]]
    assert codes.values.tolist() == [[2, 0, 0]]


def test_the_number_of_threads_changes_nothing() -> None:
    sae = random_sae(0, 50, 8, 5)
    states = np.random.default_rng(0).standard_normal((37, 8), dtype=np.float32)
    found: list[Codes] = []
    for n_threads in (1, 3):
        with Workers(n_threads) as workers:
            found.append(encode(sae, states, workers))
    np.testing.assert_array_equal(found[0].ids, found[1].ids)
    np.testing.assert_array_equal(found[0].values, found[1].values)


def test_no_rows_give_no_codes(workers: Workers) -> None:
    assert encode(random_sae(0, 5, 2, 2), np.empty((0, 2), np.float32), workers).ids.shape == (0, 2)
