"""The codecs of the three profiles: what `zarr.json` calls them, and how one chunk is encoded and decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput

__all__ = [
    "CODEC_THREADS",
    "PROFILES",
    "Blosc",
    "Codec",
    "Pcodec",
    "Profile",
    "Raw",
    "check_profile",
    "chunk_elements",
    "codec_for",
    "codec_from_metadata",
    "codec_pool",
]

Profile = Literal["fast", "balanced", "compact"]
"""`fast` is uncompressed, `balanced` is bit-shuffled LZ4, `compact` is pcodec."""

PROFILES: tuple[Profile, ...] = get_args(Profile)

CODEC_THREADS = 2
"""Threads that encode or decode chunks at most; more would steal cores from other worker processes."""

_BYTES: dict[str, object] = {"name": "bytes", "configuration": {"endian": "little"}}
_BYTES_8_BIT: dict[str, object] = {"name": "bytes"}


class Codec(Protocol):
    """Turns the elements of one chunk into bytes and back."""

    @property
    def is_raw(self) -> bool:
        """Whether the bytes of a chunk are its elements, so that any range of them can be read directly."""
        ...

    def metadata(self, dtype: np.dtype[np.generic]) -> list[dict[str, object]]:
        """Return the Zarr v3 codec chain of one chunk."""
        ...

    def encode(self, chunk: npt.NDArray[np.generic]) -> bytes | memoryview:
        """Encode a contiguous array of any shape."""
        ...

    def decode_into(self, data: bytes | memoryview, out: npt.NDArray[np.generic]) -> None:
        """Fill the contiguous 1-D array `out`; ValueError or RuntimeError when `data` does not hold exactly that."""
        ...


@dataclass(frozen=True)
class Raw:
    """No compression: the chunk is its little-endian elements."""

    is_raw: bool = True
    """Always."""

    def metadata(self, dtype: np.dtype[np.generic]) -> list[dict[str, object]]:
        """Return the chain with the `bytes` codec alone."""
        return [_bytes_codec(dtype)]

    def encode(self, chunk: npt.NDArray[np.generic]) -> memoryview:
        """Return the elements as bytes without a copy."""
        return chunk.reshape(-1).view(np.uint8).data

    def decode_into(self, data: bytes | memoryview, out: npt.NDArray[np.generic]) -> None:
        """Copy the elements."""
        out.view(np.uint8)[:] = np.frombuffer(data, np.uint8)


@dataclass(frozen=True)
class Blosc:
    """Blosc 1 with a shuffle; its own header says how many bytes a chunk holds."""

    compressor: Literal["lz4", "zstd"] = "lz4"
    """Name of the compressor inside."""
    level: int = 5
    """0 (no compression) to 9."""
    shuffle: Literal["noshuffle", "shuffle", "bitshuffle"] = "bitshuffle"
    """How the bytes of elements are rearranged first."""
    is_raw: bool = False
    """Never."""

    def metadata(self, dtype: np.dtype[np.generic]) -> list[dict[str, object]]:
        """Return `bytes`, then `blosc` as the Zarr specification names its parameters."""
        configuration: dict[str, object] = {
            "typesize": dtype.itemsize,
            "cname": self.compressor,
            "clevel": self.level,
            "shuffle": self.shuffle,
            "blocksize": 0,
        }
        return [_bytes_codec(dtype), {"name": "blosc", "configuration": configuration}]

    def encode(self, chunk: npt.NDArray[np.generic]) -> bytes:
        """Compress a chunk; the element size is taken from its dtype."""
        from numcodecs import blosc

        shuffle = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}[self.shuffle]
        words = chunk.reshape(-1).view(f"u{chunk.itemsize}")
        encoded: bytes = blosc.compress(words, self.compressor.encode(), self.level, shuffle)
        return encoded

    def decode_into(self, data: bytes | memoryview, out: npt.NDArray[np.generic]) -> None:
        """Decompress after comparing the header with what is expected: Blosc itself accepts fewer bytes."""
        from numcodecs import blosc

        n_decoded, n_encoded = (int.from_bytes(data[at : at + 4], "little") for at in (4, 12))
        if len(data) < 16 or n_decoded != out.nbytes or n_encoded != len(data):
            raise ValueError(
                f"the chunk says {n_decoded} bytes from {n_encoded}, expected {out.nbytes} from {len(data)}"
            )
        blosc.decompress(data, out.view(np.uint8))


@dataclass(frozen=True)
class Pcodec:
    """Pcodec in its standalone format, as zarr-python and numcodecs write it (`numcodecs.pcodec`)."""

    level: int = 8
    """0 to 12; above 8 costs much time for under 0.1 % of the size."""
    is_raw: bool = False
    """Never."""

    def metadata(self, dtype: np.dtype[np.generic]) -> list[dict[str, object]]:
        """Return the one codec, which turns elements into bytes by itself."""
        del dtype
        return [{"name": "numcodecs.pcodec", "configuration": {"level": self.level}}]

    def encode(self, chunk: npt.NDArray[np.generic]) -> bytes:
        """Compress a chunk."""
        from pcodec import ChunkConfig, standalone

        encoded: bytes = standalone.simple_compress(chunk.reshape(-1), ChunkConfig(compression_level=self.level))
        return encoded

    def decode_into(self, data: bytes | memoryview, out: npt.NDArray[np.generic]) -> None:
        """Decompress, and refuse a chunk with fewer or more elements."""
        from pcodec import standalone

        progress = standalone.simple_decompress_into(bytes(data), out)
        if progress.n_processed != out.size or not progress.finished:
            raise ValueError(f"the chunk does not hold the expected {out.size} elements")


def _bytes_codec(dtype: np.dtype[np.generic]) -> dict[str, object]:
    return _BYTES if dtype.itemsize > 1 else _BYTES_8_BIT


def check_profile(profile: str) -> Profile:
    """Return the profile, or raise `InvalidInput` when there is none of that name."""
    for known in PROFILES:
        if profile == known:
            return known
    raise InvalidInput(f"Unknown profile: '{profile}'", hint=f"Choose one of {', '.join(PROFILES)}")


def chunk_elements(profile: Profile) -> int:
    """Return how many elements a full chunk holds."""
    return 65_536 if profile == "fast" else 16_384


def codec_for(profile: Profile, dtype: np.dtype[np.generic]) -> Codec:
    """Choose the codec of a profile. Pcodec has no 8-bit elements, so `compact` keeps those with Zstandard."""
    if profile == "fast":
        return Raw()
    if profile == "balanced":
        return Blosc()
    return Pcodec() if dtype.itemsize > 1 else Blosc(compressor="zstd", shuffle="noshuffle")


def codec_from_metadata(chain: Sequence[Mapping[str, object]], dtype: np.dtype[np.generic]) -> Codec | None:
    """Return the codec that a chain in `zarr.json` means, or None when this version cannot read it."""
    names = [codec.get("name") for codec in chain]
    if names == ["numcodecs.pcodec"]:
        return Pcodec()
    little = not names or chain[0].get("configuration", {"endian": "little"}) in ({"endian": "little"}, {})
    if names == ["bytes"] and little:
        return Raw()
    if names == ["bytes", "blosc"] and little:
        configuration = chain[1].get("configuration")
        # Decoding reads everything from Blosc's own header; the element size must fit for zarr-python's sake only.
        if isinstance(configuration, Mapping) and configuration.get("typesize") == dtype.itemsize:
            return Blosc()
    return None


@cache
def codec_pool() -> ThreadPoolExecutor:
    """Return the threads that share the work of encoding and decoding in this process, made at first use."""
    return ThreadPoolExecutor(CODEC_THREADS, thread_name_prefix="saeatlas-codec")
