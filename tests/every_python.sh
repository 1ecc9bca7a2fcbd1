#!/bin/sh
# Run the tests on every Python >= 3.11 that can be found, each in its own virtual environment.
set -eu
cd "$(dirname "$0")/.."
found=""
for candidate in python3.11 python3.12 python3.13 python3.14 python3 "${HOME}"/.pyenv/versions/3.1[1-9]*/bin/python; do
    path=$(command -v "$candidate" 2>/dev/null) || continue
    version=$("$path" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue
    case " $found " in *" $version "*) continue ;; esac
    found="$found $version"
    echo "== Python $version"
    make --no-print-directory VENV=".venv-$version" PYTHON="$path" pages
    ".venv-$version/bin/python" -m pip list 2>/dev/null | grep -E '^(zarr|numcodecs|numpy|numba|polars) '
    ".venv-$version/bin/python" -m pytest -q -n auto --dist worksteal tests
done
[ -n "$found" ] || { echo "no Python 3.11 or newer was found" >&2; exit 1; }
echo "passed on:$found"
