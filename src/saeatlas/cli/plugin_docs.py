"""Read what a plug-in says about itself without importing it, so that listing plug-ins is quick and never fails."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

__all__ = ["field_help", "plugin_example", "plugin_help"]

_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)


def plugin_help(place: str) -> str:
    """Return what the docstring of the class at 'module:attribute' says before its sections; '' when not found."""
    text = _SECTION.split(_docstring(place))[0].strip()
    # Help is folded to the width of the terminal, so that the line ends of the source would only disturb.
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def plugin_example(place: str) -> str:
    """Return the first line of the section 'Examples' of a plug-in's docstring, or '' when there is none."""
    parts = _SECTION.split(_docstring(place))
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    return sections.get("Examples", "").strip().partition("\n")[0]


def _docstring(place: str) -> str:
    found = _class_at(place)
    return "" if found is None else ast.get_docstring(found) or ""


def field_help(cls: type) -> dict[str, str]:
    """Map each field of a dataclass to the docstring written below it, inherited fields included."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        node = _class_at(f"{base.__module__}:{base.__name__}")
        if node is not None:
            found |= _attribute_docstrings(node)
    return found


def _attribute_docstrings(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            text = below.value.value  # type: ignore[attr-defined]
            if isinstance(text, str):
                found[field.target.id] = " ".join(text.split())
    return found


def _class_at(place: str) -> ast.ClassDef | None:
    """Find the class in the source; `plugin = Name` is followed."""
    module, _, attribute = place.partition(":")
    tree = _source_tree(module)
    if tree is None:
        return None
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if attribute in names:
                attribute = node.value.id
    return classes.get(attribute)


def _source_tree(module: str) -> ast.Module | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
