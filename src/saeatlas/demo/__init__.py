"""A real, small SAE made on the user's machine, so that everything else can be tried on something true.

Read the modules in this order to learn what a sparse autoencoder is: `corpus` (texts), `tokens` (what the
model reads), `minilm` (hidden states), `topk` (the SAE itself), `training` (how it learns), `figures`
(how good it is), `files` (how others store it), `source` (all of it in one call).
"""

from __future__ import annotations

__all__: list[str] = []
