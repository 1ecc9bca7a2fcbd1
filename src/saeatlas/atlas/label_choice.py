"""Some of the labels that hold: those of an author, of a category, with a tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["chosen_labels"]


def chosen_labels(
    current: pa.Table, *, by: str | None = None, category: str | None = None, tag: str | None = None
) -> pa.Table:
    """Return the lines of `Labels.current` that fit everything that is asked for, in their order.

    Parameters
    ----------
    by, category, tag
        Exactly so; None where it does not matter. A label fits a tag when that is one of its tags.
    """
    import pyarrow.compute as pc

    for name, wanted in (("by", by), ("category", category)):
        if wanted is not None:
            current = current.filter(pc.equal(current.column(name), wanted))
    if tag is None:
        return current
    tags = current.column("tags").combine_chunks()
    is_wanted = pc.equal(pc.list_flatten(tags), tag)
    # A label has each of its tags once, so that no line comes twice.
    return current.take(pc.list_parent_indices(tags).filter(is_wanted))
