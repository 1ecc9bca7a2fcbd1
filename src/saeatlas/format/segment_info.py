"""The facts of a segment that its seal carries, so that nothing must be opened to know them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields

from saeatlas.errors import FormatError

__all__ = ["N_TOP", "SegmentInfo", "add_fingerprints"]

N_TOP = 64
"""Strongest entries kept per feature."""


@dataclass(frozen=True, kw_only=True)
class SegmentInfo:
    """What is known of one segment."""

    sae: str
    """Name of the SAE."""
    corpus: str
    """Name of the corpus."""
    first_row: int
    """Global row of local row 0."""
    n_rows: int
    """Rows, empty ones included."""
    n_features: int
    """Declared width, or the largest listed id and one where the width is unknown."""
    n_listed: int
    """Entries."""
    n_active: int
    """Entries above 0."""
    k: int | None
    """Entries of every row when all have the same number, else None; None when there are no rows."""
    n_empty_slots: int
    """Slots of the source that were empty and are not listed."""
    value_dtype: str
    """`float16`, `float32` or `float64`."""
    profile: str
    """Codec profile of its arrays."""
    min: float | None
    """Smallest listed value, None when nothing is listed."""
    max: float | None
    """Largest listed value, None when nothing is listed."""
    fingerprint: str
    """Sum of the hashes of all entries modulo 2^128, 32 hexadecimal digits; see `saeatlas.kernels.fingerprint`."""
    largest_rounding_error: float
    """Largest difference between a value of the source and what is stored; 0 unless rounding was asked for."""
    identity: Mapping[str, object]
    """Identity of the SAE as JSON."""

    def to_json(self) -> dict[str, object]:
        """Return the attributes for a seal."""
        return asdict(self) | {"identity": dict(self.identity)}

    @classmethod
    def from_json(cls, attributes: Mapping[str, object]) -> SegmentInfo:
        """Read the attributes of a seal; attributes of later minor versions are passed over."""
        found = {field.name: attributes[field.name] for field in fields(cls) if field.name in attributes}
        missing = [field.name for field in fields(cls) if field.name not in found]
        wrong = [name for name, types in _TYPES.items() if name in found and not _is_one(found[name], types)]
        if missing or wrong:
            raise FormatError(
                f"The facts of a segment are incomplete or of the wrong type: {', '.join(missing + wrong)}",
                hint="Run 'saeatlas verify --deep'.",
                kind="corrupt-artifact",
            )
        return cls(**found)  # type: ignore[arg-type]  # the types were compared above


_NUMBER = (int, float)
_TYPES: dict[str, tuple[type, ...]] = {
    "sae": (str,),
    "corpus": (str,),
    "first_row": (int,),
    "n_rows": (int,),
    "n_features": (int,),
    "n_listed": (int,),
    "n_active": (int,),
    "k": (int, type(None)),
    "n_empty_slots": (int,),
    "value_dtype": (str,),
    "profile": (str,),
    "min": (*_NUMBER, type(None)),
    "max": (*_NUMBER, type(None)),
    "fingerprint": (str,),
    "largest_rounding_error": _NUMBER,
    "identity": (Mapping,),
}


def _is_one(value: object, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)


def add_fingerprints(fingerprints: Iterable[str]) -> str:
    """Return the fingerprint of several sets of entries together: the sum modulo 2^128, 32 hexadecimal digits."""
    return f"{sum(int(one, 16) for one in fingerprints) % (1 << 128):032x}"
