"""What stands behind the question mark: names that an operation does not know are refused, and never ignored."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Cookie, Header, Path
from fastapi.routing import APIRoute

from saeatlas.errors import InvalidInput

__all__ = ["refuse_unknown"]

_OF_ALL = frozenset({"format"})
"""Every answer may be asked for in a form, though not every form is there."""
_NAMED = 20
_known: dict[Callable[..., Any], frozenset[str]] = {}


async def refuse_unknown(request: Request) -> None:
    """Refuse query parameters that are misspelt or given twice: without them, the answer would be to another question.

    Raises
    ------
    InvalidInput
        With the names that there are.
    """
    given = [name for name, _ in request.query_params.multi_items()]
    if not given:
        return
    route: APIRoute = request.scope["route"]
    known = _names(route)
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            there = ", ".join(sorted(known)[:_NAMED])
            raise InvalidInput(
                f"There is no query parameter '{name:.100}' here",
                hint=f"Did you mean '{near[0]}'?" if near else f"There are: {there}.",
            )
        if given.count(name) > 1:
            raise InvalidInput(
                f"The query parameter '{name:.100}' is given {given.count(name)} times",
                hint="Give it once; lists are written with commas.",
            )


def _names(route: APIRoute) -> frozenset[str]:
    """Return the query parameters of an operation, which may be mounted at several places."""
    known = _known.get(route.endpoint)
    if known is None:
        fields = get_flat_params(route.dependant)
        known = _OF_ALL | {field.alias for field in fields if not isinstance(field.field_info, Path | Header | Cookie)}
        _known[route.endpoint] = known
    return known
