#!/usr/bin/env bash
# Builds the Java program on real Apache Paimon (Maven) and a Python
# environment with pypaimon, then runs the interop suite.
#
#   interop/run.sh                                  the share of CI
#   TIDELAKE_INTEROP_TABLES=500 interop/run.sh      the whole
set -euo pipefail
cd "$(dirname "$0")"
cache=${TIDELAKE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidelake}
mkdir -p "$cache"

[ -d peer/target/lib ] && [ -d peer/target/classes ] || peer/build.sh

# Paimon 2.0 reads and writes a sample too, where Maven finds it.
if [ ! -d "$cache/peer-2.0/target/lib" ]; then
  rm -rf "$cache/peer-2.0" && mkdir -p "$cache/peer-2.0"
  cp -r peer/src peer/pom.xml peer/peer peer/build.sh "$cache/peer-2.0/"
  (cd "$cache/peer-2.0" && ./build.sh -Dpaimon.version=2.0.0) ||
    { echo "!!!!!!!! SKIPPED Paimon 2.0.0: it could not be built here !!!!!!!!"; rm -rf "$cache/peer-2.0"; }
fi
[ -d "$cache/peer-2.0" ] && export TIDELAKE_PEER_2_0="$cache/peer-2.0"

if [ ! -x "$cache/python/bin/python" ] || ! "$cache/python/bin/python" -c 'import pypaimon' 2>/dev/null; then
  python3 -m venv "$cache/python" && "$cache/python/bin/pip" install -q -r requirements.txt ||
    echo "!!!!!!!! SKIPPED pypaimon: it could not be installed here !!!!!!!!"
fi
"$cache/python/bin/python" -c 'import pypaimon' 2>/dev/null && export TIDELAKE_PYTHON="$cache/python/bin/python"

go test -tags interop -count=1 -timeout 40m . "$@"
