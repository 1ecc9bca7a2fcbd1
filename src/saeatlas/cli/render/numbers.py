"""Numbers as people read them: thousands apart, four digits, and units that fit."""

from __future__ import annotations

__all__ = ["bytes_text", "cell", "count", "number", "percent", "plain", "seconds_text"]

MISSING = "-"


def count(value: int | None) -> str:
    """Write a whole number with its thousands apart."""
    return MISSING if value is None else f"{value:,}"


def number(value: float | None) -> str:
    """Write a measured number with four digits that count."""
    return MISSING if value is None else f"{value:.4g}"


def percent(value: float | None) -> str:
    """Write a share as a percentage with three digits that count."""
    if value is None:
        return MISSING
    share = value * 100
    return f"{share:.3g}%" if share < 100 else f"{share:.4g}%"


def bytes_text(size: float) -> str:
    """Write a size in the decimal unit that fits."""
    for unit in ("bytes", "kB", "MB", "GB"):
        # From 999.5 on, three digits would read '1e+03'.
        if size < (1000 if unit == "bytes" else 999.5):
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def seconds_text(seconds: float) -> str:
    """Write a duration: '0.12 s', '4.2 s', '75 s', '3 min 20 s', '2 h 5 min'."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def cell(value: object) -> str:
    """Write any value for a table that a person reads."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    return number(value) if isinstance(value, float) else str(value)


def plain(value: object) -> str:
    """Write any value for a program: nothing rounded, missing is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)
