#!/usr/bin/env bash
# Builds the Java program on real Apache Paimon (Maven) and a Python
# environment with pypaimon, then runs the interop suite. Needs Go, a JDK of 17
# or newer, Maven and Python 3.11; everything else is fetched once into a cache.
# Prints the seed and how many random tables each test had.
#
#   interop/run.sh                                  the share of CI
#   TIDELAKE_INTEROP_TABLES=2000 interop/run.sh     a long run
#   interop/run.sh -run TestFiltersAgree -v         flags of go test
set -euo pipefail
cd "$(dirname "$0")"
again=$PWD/../.ci/again
cache=${TIDELAKE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidelake}
mkdir -p "$cache"

# The digest of all that a build is made from: built again only when it changes.
sources=$(find peer/src peer/pom.xml -type f | sort | xargs cat | sha256sum | cut -d ' ' -f 1)
built() { [ "$(cat "$1/sources" 2>/dev/null)" = "$sources" ]; }

if ! built peer/target; then
  echo "interop: building the Java program, once"
  rm -rf peer/target
  "$again" peer/build.sh
  echo "$sources" > peer/target/sources
fi

# Paimon 2.0 reads and writes a sample too. Its bundle, and the parent POMs that
# Maven wants to read before any of its jars, are not in every repository; the
# jar for Flink holds the same classes. So that one is taken, through a local
# repository in which empty POMs stand for the parents.
paimon2=2.0.0
fetch_paimon2() { # fetch_paimon2 DIR
  local repo=$cache/m2-$paimon2 parent
  for parent in paimon-parent paimon-flink; do
    mkdir -p "$repo/org/apache/paimon/$parent/$paimon2"
    printf '<project><modelVersion>4.0.0</modelVersion><groupId>org.apache.paimon</groupId><artifactId>%s</artifactId><version>%s</version><packaging>pom</packaging></project>\n' \
      "$parent" "$paimon2" > "$repo/org/apache/paimon/$parent/$paimon2/$parent-$paimon2.pom"
  done
  "$again" mvn -q -B -Dmaven.repo.local="$repo" -f peer/pom.xml org.apache.maven.plugins:maven-dependency-plugin:3.6.0:get \
    -Dartifact=org.apache.paimon:paimon-flink-2.0:$paimon2 -Dtransitive=false &&
    cp "$repo/org/apache/paimon/paimon-flink-2.0/$paimon2/paimon-flink-2.0-$paimon2.jar" "$1/paimon-$paimon2.jar"
}
build_paimon2() { # build_paimon2 HOME
  rm -rf "$1" && mkdir -p "$1/target/lib" "$1/target/classes" && cp peer/peer "$1/" || return
  find peer/target/lib -name '*.jar' ! -name 'paimon-*' -exec cp {} "$1/target/lib/" \;
  fetch_paimon2 "$1/target/lib" || return
  find peer/src -name '*.java' -print0 | xargs -0 javac -nowarn -encoding UTF-8 -cp "$1/target/lib/*" -d "$1/target/classes" || return
  echo "$sources" > "$1/sources"
}
home=$cache/peer-$paimon2
if ! built "$home"; then
  build_paimon2 "$home" || { rm -rf "$home"; echo "!!!!!!!! SKIPPED Paimon $paimon2: it could not be built here !!!!!!!!"; }
fi
if built "$home"; then export TIDELAKE_PEER_2_0=$home; fi

python=$cache/python
if ! cmp -s requirements.txt "$python/requirements.txt"; then
  rm -rf "$python"
  { python3 -m venv "$python" && "$again" "$python/bin/pip" install -q -r requirements.txt && cp requirements.txt "$python/"; } ||
    echo "!!!!!!!! SKIPPED pypaimon: it could not be installed here !!!!!!!!"
fi
if [ -f "$python/requirements.txt" ]; then export TIDELAKE_PYTHON=$python/bin/python; fi

# The zone of the Java program, whatever this machine's is.
export TZ=UTC

# Without a package go test shows the summary of a run that passed, too.
exec go test -tags interop -count=1 -timeout 120m "$@"
