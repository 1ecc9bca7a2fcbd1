"""The files of an atlas: bytes on one side, values on the other. `docs/format.md` is the specification."""
