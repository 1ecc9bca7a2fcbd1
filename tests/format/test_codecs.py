from __future__ import annotations

import numpy as np
import pytest

from saeatlas.errors import InvalidInput
from saeatlas.format.codecs import (
    PROFILES,
    Blosc,
    Codec,
    Pcodec,
    Profile,
    Raw,
    check_profile,
    codec_for,
    codec_from_metadata,
)

FLOAT = np.dtype("<f4")


@pytest.mark.parametrize("profile", PROFILES)
def test_metadata_names_the_codec_that_wrote_it(profile: Profile) -> None:
    codec = codec_for(profile, FLOAT)
    assert codec_from_metadata(codec.metadata(FLOAT), FLOAT) == codec


@pytest.mark.parametrize("codec", [Raw(), Blosc(), Blosc("zstd", 1, "shuffle"), Pcodec(4)])
def test_a_chunk_comes_back(codec: Codec) -> None:
    chunk = np.random.default_rng(0).random(1000).astype(np.float32)
    out = np.empty_like(chunk)
    codec.decode_into(bytes(codec.encode(chunk)), out)
    np.testing.assert_array_equal(out, chunk)


@pytest.mark.parametrize("codec", [Raw(), Blosc(), Pcodec()])
@pytest.mark.parametrize("size", [999, 1001])
def test_a_chunk_of_another_length_is_refused(codec: Codec, size: int) -> None:
    data = bytes(codec.encode(np.random.default_rng(0).random(1000).astype(np.float32)))
    with pytest.raises((ValueError, RuntimeError)):
        codec.decode_into(data, np.empty(size, np.float32))


def test_eight_bit_elements_are_kept_by_another_codec_in_compact() -> None:
    assert codec_for("compact", np.dtype("u1")) == Blosc("zstd", 5, "noshuffle")


@pytest.mark.parametrize(
    "chain",
    [
        [],
        [{"name": "bytes", "configuration": {"endian": "big"}}],
        [{"name": "bytes"}, {"name": "gzip"}],
        [{"name": "bytes"}, {"name": "blosc", "configuration": {"typesize": 8}}],
    ],
)
def test_chains_that_cannot_be_read_are_told(chain: list[dict[str, object]]) -> None:
    assert codec_from_metadata(chain, FLOAT) is None


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'tiny'"):
        check_profile("tiny")
