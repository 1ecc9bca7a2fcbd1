"""Write `frontend/openapi.json`, from which the pages' types of answers are generated.

    python tests/server/write_openapi.py

A test holds the file to what the server says; whoever changes an answer runs this and then the type check, which finds
every place of the pages that relied on what was there before.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "frontend" / "openapi.json"


def document() -> dict[str, Any]:
    """Return what the server says about itself, without its version, which changes with every release."""
    from starlette.testclient import TestClient

    from saeatlas.server.app import create_app
    from saeatlas.server.settings import ServerSettings
    from saeatlas.testing.make_atlas import make_atlas

    with tempfile.TemporaryDirectory() as folder:
        atlas = make_atlas(Path(folder) / "a.atlas", n_rows=20, n_features=8)
        with TestClient(create_app(atlas.url, ServerSettings(allowed_hosts=("testserver",)))) as client:
            found: dict[str, Any] = client.get("/openapi.json").json()
    found["info"]["version"] = "1"
    return found


def text() -> str:
    """Return the document as the file holds it."""
    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
