from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from saeatlas.demo.minilm import CLS, SEP, WIDTH, MiniLM, Room, capture
from saeatlas.demo.tokens import load_tokenizer
from saeatlas.demo.weights import find_weights
from saeatlas.demo.workers import Workers
from saeatlas.errors import SourceError
from saeatlas.progress import SILENT, Event, Progress

Float64 = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def model() -> MiniLM:
    return MiniLM.from_file(find_weights().model, 3)


def states_of(model: MiniLM, texts: list[list[int]], workers: Workers) -> npt.NDArray[np.float32]:
    room = Room(sum(map(len, texts)), max(map(len, texts)), workers.n_threads)
    return model.hidden_states([np.array(text) for text in texts], room, workers)


def naive(tensors: Any, ids: list[int], n_layers: int) -> Float64:
    """The model as its paper writes it, in float64, one text at a time."""

    def get(name: str) -> Float64:
        return np.asarray(tensors[name], dtype=np.float64)

    def norm(x: Float64, name: str) -> Float64:
        y = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-12)
        return y * get(f"{name}.weight") + get(f"{name}.bias")

    def linear(x: Float64, name: str) -> Float64:
        return x @ get(f"{name}.weight").T + get(f"{name}.bias")

    x = get("embeddings.word_embeddings.weight")[ids] + get("embeddings.position_embeddings.weight")[: len(ids)]
    x = norm(x + get("embeddings.token_type_embeddings.weight")[0], "embeddings.LayerNorm")
    erf = np.vectorize(math.erf)
    for number in range(n_layers):
        at = f"encoder.layer.{number}"
        q, k, v = (linear(x, f"{at}.attention.self.{part}") for part in ("query", "key", "value"))
        heads = []
        for head in range(12):
            own = slice(32 * head, 32 * head + 32)
            scores = np.exp(q[:, own] @ k[:, own].T / math.sqrt(32))
            heads.append(scores / scores.sum(1, keepdims=True) @ v[:, own])
        mixed = linear(np.concatenate(heads, 1), f"{at}.attention.output.dense")
        x = norm(x + mixed, f"{at}.attention.output.LayerNorm")
        inner = linear(x, f"{at}.intermediate.dense")
        inner = inner * 0.5 * (1 + erf(inner / math.sqrt(2)))
        x = norm(x + linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    return x


def test_hidden_states_equal_the_naive_model(model: MiniLM, workers: Workers) -> None:
    from safetensors.numpy import load_file

    tensors = load_file(find_weights().model)
    texts = [[CLS, 7592, 2088, SEP], [CLS, 2651, 1996, SEP], [CLS, 3231, 1997, 2936, 3793, 999, SEP]]
    expected = np.concatenate([naive(tensors, text, 3) for text in texts])
    np.testing.assert_allclose(states_of(model, texts, workers), expected, atol=2e-5)


def test_six_layers_give_the_similarities_that_the_model_is_published_with(workers: Workers) -> None:
    # The example of the sentence-transformers documentation: similarities 0.6660, 0.1046 and 0.1411.
    files = find_weights()
    full, tokenizer = MiniLM.from_file(files.model, 6), load_tokenizer(files.tokenizer)
    sentences = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    vectors = np.stack(
        [states_of(full, [tokenizer.encode(sentence).ids], workers).mean(axis=0) for sentence in sentences]
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = vectors @ vectors.T
    np.testing.assert_allclose([similar[0, 1], similar[0, 2], similar[1, 2]], [0.6660, 0.1046, 0.1411], atol=1e-4)


def test_capture_puts_every_token_where_it_belongs(model: MiniLM, workers: Workers) -> None:
    documents = [np.array(ids) for ids in ([7592, 2088], [3231] * 5, [2651, 1996], [999])]
    out = np.full((10, WIDTH), np.nan, np.float32)
    events: list[Event] = []
    capture(model, documents, out, workers, Progress(events.append))
    alone = [states_of(model, [[CLS, *ids, SEP]], workers)[1:-1] for ids in documents]
    np.testing.assert_allclose(out, np.concatenate(alone), atol=1e-5)
    assert sum(event.amount for event in events) == events[0].total == 10


def test_documents_beyond_one_batch_are_all_computed(model: MiniLM, workers: Workers) -> None:
    documents = [np.full(n % 7 + 200, 1000 + n) for n in range(13)]
    out = np.full((sum(map(len, documents)), WIDTH), np.nan, np.float32)
    capture(model, documents, out, workers, SILENT)
    assert np.isfinite(out).all()


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(SourceError, match="cannot be read as the weights"):
        MiniLM.from_file(tmp_path / "model.safetensors", 3)
