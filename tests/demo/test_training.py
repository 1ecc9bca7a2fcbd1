from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from saeatlas.demo.topk import TopKSae, decode, encode
from saeatlas.demo.training import Recipe, gradients, initial, train
from saeatlas.demo.workers import Workers
from saeatlas.errors import InvalidInput
from saeatlas.progress import SILENT, Event, Progress

Float64 = npt.NDArray[np.float64]
NAMES = ("encoder", "encoder_bias", "decoder", "decoder_bias")


def planted(n_rows: int, n_directions: int, width: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """States that are sums of two of a few directions: what an SAE should find."""
    generator = np.random.default_rng(seed)
    directions = generator.standard_normal((n_directions, width))
    chosen = np.argsort(generator.random((n_rows, n_directions)), axis=1)[:, :2]
    strength = generator.uniform(1, 3, (n_rows, 2, 1))
    return (directions[chosen] * strength).sum(1).astype(np.float32)


def loss(sae: TopKSae, states: npt.NDArray[np.float32], changed: str, at: tuple[int, ...], by: float) -> float:
    """The summed squared error in float64, one number of one array moved."""
    arrays: dict[str, Float64] = {name: getattr(sae, name).astype(np.float64) for name in NAMES}
    arrays[changed][at] += by
    x = states.astype(np.float64)
    scores = (x - arrays["decoder_bias"]) @ arrays["encoder"].T + arrays["encoder_bias"]
    below = np.sort(scores, axis=1)[:, -sae.k][:, None]
    values = np.where(scores >= below, np.maximum(scores, 0), 0)
    return float(np.square(values @ arrays["decoder"] + arrays["decoder_bias"] - x).sum())


@pytest.mark.parametrize("name", NAMES)
def test_gradients_equal_finite_differences(workers: Workers, name: str) -> None:
    states = planted(40, 6, 5)
    sae = initial(states, Recipe(n_features=12, k=3))
    sae.encoder_bias[:] = np.random.default_rng(1).standard_normal(12) * 0.1
    found = getattr(gradients(sae, states, workers), name)
    step = 1e-6
    for at in list(np.ndindex(found.shape))[::3]:
        expected = (loss(sae, states, name, at, step) - loss(sae, states, name, at, -step)) / (2 * step)
        assert found[at] == pytest.approx(expected, rel=2e-3, abs=2e-2)


def test_errors_are_the_squared_lengths_of_what_is_missing(workers: Workers) -> None:
    states = planted(20, 6, 5)
    sae = initial(states, Recipe(n_features=12, k=3))
    rendered = decode(sae, encode(sae, states, workers))
    np.testing.assert_allclose(gradients(sae, states, workers).errors, np.square(rendered - states).sum(1), rtol=1e-4)


def test_training_explains_planted_directions(workers: Workers) -> None:
    states = planted(4000, 10, 24)
    sae = train(states, Recipe(n_features=16, k=2, epochs=40, batch=256, learning_rate=1e-2), workers, SILENT)
    error = np.square(decode(sae, encode(sae, states, workers)) - states).sum()
    assert error / np.square(states - states.mean(0)).sum() < 0.1


def test_decoder_rows_keep_length_one(workers: Workers) -> None:
    sae = train(planted(300, 6, 8), Recipe(n_features=12, k=2, epochs=2, batch=64), workers, SILENT)
    np.testing.assert_allclose(np.linalg.norm(sae.decoder, axis=1), 1, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_whatever_the_threads() -> None:
    # Arrays long enough for several blocks, and with numbers left over.
    states = planted(500, 6, 27)
    recipe = Recipe(n_features=61, k=2, epochs=3, batch=64)
    found = []
    for n_threads in (1, 2, 3):
        with Workers(n_threads) as workers:
            found.append(train(states, recipe, workers, SILENT))
    for name in NAMES:
        assert (
            getattr(found[0], name).tobytes() == getattr(found[1], name).tobytes() == getattr(found[2], name).tobytes()
        )


def test_another_seed_gives_other_weights(workers: Workers) -> None:
    states = planted(500, 6, 8)
    recipe = Recipe(n_features=12, k=2, epochs=1, batch=64)
    first, second = (train(states, replace(recipe, seed=seed), workers, SILENT) for seed in (0, 1))
    assert not np.array_equal(first.decoder, second.decoder)


def test_features_that_never_fire_are_revived(workers: Workers) -> None:
    states = planted(2000, 10, 24)
    sae = train(states, Recipe(n_features=40, k=2, epochs=20, batch=128, learning_rate=3e-3), workers, SILENT)
    codes = encode(sae, states, workers)
    assert len(np.unique(codes.ids[codes.values > 0])) >= 36


def test_fewer_tokens_than_a_batch_still_train(workers: Workers) -> None:
    events: list[Event] = []
    train(planted(5, 3, 4), Recipe(n_features=4, k=2, epochs=3), workers, Progress(events.append))
    assert sum(event.amount for event in events) == events[0].total == 15


@pytest.mark.parametrize("wrong", [{"k": 0}, {"k": 9, "n_features": 8}, {"epochs": 0}, {"seed": -1}, {"batch": 0}])
def test_impossible_recipes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        Recipe(**wrong)  # type: ignore[arg-type]
