"""What was said about the features of an SAE behind a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saeatlas.client.answers import plain
from saeatlas.client.connection import API, segment

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.client.sae import RemoteSAE

__all__ = ["RemoteLabels"]


class RemoteLabels:
    """Labels until now, of whatever commit the atlas is: every question asks the server anew."""

    def __init__(self, sae: RemoteSAE) -> None:
        self._sae = sae

    def __repr__(self) -> str:
        return f"RemoteLabels(of {self._sae.name!r})"

    @property
    def current(self) -> pa.Table:
        """What holds now, a line for each label of each feature; the columns of `saeatlas.atlas.labels.Labels`."""
        return self.find()

    def find(self, *, by: str | None = None, category: str | None = None, tag: str | None = None) -> pa.Table:
        """Return the lines of `current` that fit: exactly this author, this category, and with this tag."""
        path = f"{API}/saes/{segment(self._sae.name)}/labels"
        return plain(self._sae.atlas.connection.table(path, {"by": by, "category": category, "tag": tag}).table)
