"""Make a command from a plug-in's dataclass: its fields become flags beside the options of the surface."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from saeatlas.cli.plugin_docs import field_help, plugin_example, plugin_help
from saeatlas.errors import InvalidInput
from saeatlas.registry import Registry

__all__ = ["add_plugins", "plugin_command"]


def add_plugins(app: App, registry: Registry, module: str, example: str) -> None:
    """Register one command for each plug-in; `module` must give the command of `<name>` as its attribute `<name>`.

    No plug-in is imported: the help comes from its source text, with an example after it: its own, or `example`,
    where '{name}' stands for the plug-in's name.
    """
    for name in registry:
        place = registry.place(name)
        shown = plugin_example(place) or example.format(name=name)
        app.command(f"{module}:{name}", name=name, help=f"{plugin_help(place) or place}\n\nExample: {shown}")


def plugin_command(plugin: type, run: Callable[..., object]) -> Callable[..., object]:
    """Join the fields of `plugin` and the options of `run` into one function.

    Parameters
    ----------
    plugin
        The dataclass. Keyword-only fields become flags; the others are given by position.
    run
        Called as `run(instance, **options)`; its first parameter is not an option.
    """
    first, *own = inspect.signature(run).parameters.values()
    # The first annotation may be known to type checkers only.
    hints = typing.get_type_hints(run, localns={str(first.annotation): plugin}, include_extras=True)
    options = [option.replace(annotation=hints[option.name]) for option in own]
    fields = _field_parameters(plugin)
    shared = {option.name for option in options} & {field.name for field in fields}
    if shared:
        raise InvalidInput(
            f"The plug-in '{plugin.__name__}' has a field named as an option: {', '.join(sorted(shared))}"
        )
    order = sorted([*fields, *options], key=lambda parameter: parameter.kind)
    signature = inspect.Signature(order)

    def command(*values: object, **named: object) -> object:
        given = signature.bind(*values, **named).arguments
        chosen = {field.name: given.pop(field.name) for field in fields if field.name in given}
        placed = [given.pop(o.name) for o in options if o.kind is o.POSITIONAL_ONLY and o.name in given]
        variadic = [given.pop(o.name) for o in options if o.kind is o.VAR_POSITIONAL and o.name in given]
        return run(plugin(**chosen), *placed, *(value for part in variadic for value in part), **given)

    command.__name__ = plugin.__name__
    command.__doc__ = plugin.__doc__
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in order}
    return command


def _field_parameters(plugin: type) -> list[inspect.Parameter]:
    help_of = field_help(plugin)
    hints = typing.get_type_hints(plugin, include_extras=True)
    group = Group("Fields", sort_key=1)
    parameters = []
    for field in dataclasses.fields(plugin):
        text = help_of.get(field.name, "")
        about = Parameter(help=text, group=group) if field.kw_only else Parameter(help=text)
        hint: Any = Annotated[hints[field.name], about]
        default: Any = inspect.Parameter.empty
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        kind = inspect.Parameter.KEYWORD_ONLY if field.kw_only else inspect.Parameter.POSITIONAL_ONLY
        parameters.append(inspect.Parameter(field.name, kind, default=default, annotation=hint))
    return parameters
