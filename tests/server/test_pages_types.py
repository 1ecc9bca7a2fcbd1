"""The types that the pages take the server's answers for are those of its OpenAPI document."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest


def test_document_that_the_pages_are_typed_by_is_the_servers() -> None:
    writer = runpy.run_path(str(Path(__file__).with_name("write_openapi.py")))
    if writer["FILE"].read_text(encoding="utf-8") != writer["text"]():
        pytest.fail(
            "Answers changed: run 'python tests/server/write_openapi.py', then 'npm run typecheck' in frontend/"
        )
