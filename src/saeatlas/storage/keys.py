"""Which keys a store accepts, so that no key can leave the atlas or mean two things."""

from __future__ import annotations

from saeatlas.errors import InvalidInput

__all__ = ["STAGING", "check_key", "check_prefix", "join_key"]

STAGING = "staging"
"""First part of what is in flight: never listed, and removable when old."""


def check_key(key: str) -> str:
    """Return `key` when it is one or more plain names joined by '/', else raise `InvalidInput`.

    Empty names, '.', '..' and control characters are refused, and so are absolute keys and keys in staging.
    """
    parts = key.split("/")
    if any(part in {"", ".", ".."} for part in parts) or parts[0] == STAGING or not _is_plain(key):
        raise InvalidInput(
            f"Not a key of a store: {key!r}",
            hint="A key is names joined by single '/', without '.', '..', control characters or a leading 'staging'.",
        )
    return key


def check_prefix(prefix: str) -> str:
    """Return the prefix with its closing '/', or '' for the whole store; what is below must be valid keys."""
    key = prefix.removesuffix("/")
    return f"{check_key(key)}/" if prefix else ""


def join_key(prefix: str, name: str) -> str:
    """Return the key of `name` below `prefix`, which may end in '/' or not."""
    return f"{prefix.removesuffix('/')}/{name}" if prefix else name


def _is_plain(key: str) -> bool:
    return not any(character < " " or character in "\\\x7f" for character in key)
