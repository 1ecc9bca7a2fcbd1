"""Find plug-ins by file name, then by entry point; import one only when it is asked for."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import entry_points

from saeatlas.errors import InvalidInput, NotFound

__all__ = ["Registry"]


class Registry(Mapping[str, type]):
    """The plug-ins of one kind, by name.

    A built-in plug-in named `h5-topk` is the class `plugin` in `<package>/h5_topk.py`; a third party
    adds one with an entry point in the group `<package>`. Listing names imports no plug-in, so a
    plug-in with a missing optional dependency breaks only itself.
    """

    def __init__(self, package: str, *kinds: type) -> None:
        self.package = package
        self.kinds = kinds

    @cached_property
    def _places(self) -> dict[str, str]:
        path = importlib.import_module(self.package).__path__
        places = {
            module.name.replace("_", "-"): f"{self.package}.{module.name}:plugin"
            for module in pkgutil.iter_modules(path)
            if not module.name.startswith("_") and not module.ispkg
        }
        for point in entry_points(group=self.package):
            if point.name in places:
                raise InvalidInput(
                    f"The plug-in '{point.value}' has the name of a built-in one: '{point.name}'",
                    hint="Uninstall it, or ask its author to rename it.",
                )
            places[point.name] = point.value
        return dict(sorted(places.items()))

    def __getitem__(self, name: str) -> type:
        if name not in self._places:
            word = re.sub("yses$", "ysiss", self.package.rpartition(".")[2]).removesuffix("s")
            raise NotFound(f"No {word} is named '{name}'", hint=f"Known: {', '.join(self._places)}")
        module, _, attribute = self._places[name].partition(":")
        plugin = getattr(importlib.import_module(module), attribute)
        if not (isinstance(plugin, type) and issubclass(plugin, self.kinds) and dataclasses.is_dataclass(plugin)):
            names = " or ".join(kind.__name__ for kind in self.kinds)
            raise InvalidInput(f"'{module}:{attribute}' is not a dataclass of the kind {names}")
        return plugin

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def place(self, name: str) -> str:
        """Return 'module:attribute' of a plug-in without importing it."""
        return self._places[name]
