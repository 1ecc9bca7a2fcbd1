"""The resources of the API, one file each: `router` is found by file name and mounted by `saeatlas.server.app`."""
