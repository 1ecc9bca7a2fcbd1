"""Files of tensors by what they hold, whatever their name: safetensors, NPZ or NPY."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from saeatlas.errors import SourceError
from saeatlas.format.source_file import HDF5_MAGIC, ZIP_MAGIC, check_file
from saeatlas.format.tensor import Tensor
from saeatlas.format.tensor_npz import read_npy_header, read_npz_headers
from saeatlas.format.tensor_safetensors import read_safetensors_header

__all__ = ["open_tensors"]

_NPY: Final = b"\x93NUMPY"
_EMPTY_ZIP: Final = b"PK\x05\x06"
_PICKLE: Final = b"\x80"
"""First byte of a pickle since Python 2.3. A safetensors file begins with it when its header has 128 bytes or
128 and a multiple of 256, so what follows decides."""


@contextmanager
def open_tensors(path: Path, what: str) -> Iterator[Mapping[str, Tensor]]:
    """Open a file and yield its tensors by name; they can be read as long as the `with` block lasts.

    Only headers are read. Links are followed, as the cache of the Hugging Face hub is made of them; what is no plain
    file is refused.

    Parameters
    ----------
    path
        The file.
    what
        What it is to the caller, for messages, such as 'weights'.

    Raises
    ------
    SourceError
        When it is missing, empty, damaged, hostile, a pickle, or anything else.
    """
    head = check_file(path, what)
    with path.open("rb") as file, ExitStack() as open_files:
        n_bytes = os.fstat(file.fileno()).st_size
        if head.startswith((ZIP_MAGIC, _EMPTY_ZIP)):
            yield read_npz_headers(file, path, n_bytes, open_files)
        elif head.startswith(_NPY):
            tensor = read_npy_header(file, path, n_bytes)
            yield {tensor.name: tensor}
        elif head.startswith(_PICKLE) and head[7:9] != b"\0{":
            raise SourceError(
                f"The {what} file is a pickle, which can run any code when it is read: '{path}'",
                hint="Save its tensors with safetensors, on a machine that may run it.",
                kind="pickled-source",
            )
        elif head.startswith(HDF5_MAGIC):
            raise SourceError(
                f"The {what} file is HDF5: '{path}'",
                hint="Give a safetensors or NPZ file.",
                kind="wrong-file-type",
            )
        else:
            yield read_safetensors_header(file, path, n_bytes)
