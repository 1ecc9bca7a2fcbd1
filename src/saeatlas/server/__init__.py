"""The atlas over HTTP: one read model of JSON and Arrow resources, and the pages that show it."""
