"""The contract, for the importer that comes with the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from saeatlas.pipeline.sae_importer import SaeImporter
from saeatlas.testing.parts_importer import PartsImporter, make_parts
from saeatlas.testing.sae_importer_contract import SaeFault, SaeImporterContract


class TestParts(SaeImporterContract):
    def make_importer(self, directory: Path) -> SaeImporter:
        return PartsImporter(sae="toy", data=make_parts(8))

    def faults(self) -> Mapping[str, SaeFault]:
        def with_number(name: str, number: float) -> SaeFault:
            def make(directory: Path) -> SaeImporter:
                parts = make_parts(8)
                array = parts.arrays[name].copy()
                array.flat[1] = number
                return PartsImporter(sae="toy", data=replace(parts, arrays={**parts.arrays, name: array}))

            return make

        return {
            "NaN in the decoder": with_number("decoder", np.nan),
            "infinity in the encoder": with_number("encoder", np.inf),
            "NaN in a vector": with_number("b_enc", np.nan),
            "name that is none": lambda _: PartsImporter(sae="no name", data=make_parts(8)),
            "blank explanation": lambda _: PartsImporter(
                sae="toy", data=replace(make_parts(8), arrays={}, texts=((1, " "),))
            ),
        }
