#!/usr/bin/env bash
# Runs the same work on the same rows with this library and with real Apache
# Paimon in Java (interop/peer), one after the other, and prints both and the
# ratio of their times. What to compare comes first, flags are those of both:
#
#   bench/compare.sh upsert --rows 5000000 --keys 1000000 --cols 10 --commits 10
#   bench/compare.sh all
#
# Each side scans both tables and reads the changes of both: the digests must be
# equal. Java is warmed up before it is timed, and its start is left out. Numbers
# are medians of three; those of CPU time hold on a busy machine too.
set -euo pipefail
cd "$(dirname "$0")/.."
peer=interop/peer/peer
known=(upsert compacting lookup-changelog full-changelog partial-update aggregation first-row vectors compact)
what=()
while [ $# -gt 0 ] && [[ $1 != --* ]]; do what+=("$1"); shift; done
[ ${#what[@]} -gt 0 ] || what=(upsert)
[ "${what[*]}" != all ] || what=("${known[@]}")
flags=(--rows 1000000 --keys 200000 --cols 10 --commits 10 --seed 1)
[ $# -gt 0 ] && flags=("$@")
warm=${WARM_SECONDS:-5}
keys=$(sed -n 's/.*--keys \([0-9]*\).*/\1/p' <<<"${flags[*]}")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -d interop/peer/target/lib ] || interop/peer/build.sh
go build -o "$work/bench" ./bench

# options of a table for each of what is compared
options() {
  case $1 in
    upsert) echo write-only=true ;;
    compacting) echo write-only=false ;;
    lookup-changelog) echo write-only=false,changelog-producer=lookup ;;
    full-changelog) echo write-only=false,changelog-producer=full-compaction,full-compaction.delta-commits=1 ;;
    partial-update) echo write-only=false,merge-engine=partial-update ;;
    aggregation) echo write-only=false,merge-engine=aggregation,fields.default-aggregate-function=last_non_null_value,fields.c01.aggregate-function=max,fields.c02.aggregate-function=min,fields.c04.aggregate-function=max,fields.c06.aggregate-function=sum,fields.c07.aggregate-function=bool_or ;;
    first-row) echo write-only=false,merge-engine=first-row ;;
    vectors) echo write-only=false,deletion-vectors.enabled=true ;;
    *) echo "unknown: $1; known are ${known[*]}" >&2; return 1 ;;
  esac
}

member() { sed -n "s/.*\"$1\":\"\\{0,1\\}\\([^\",}]*\\).*/\\1/p"; } # of JSON lines
median() { member "$1" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
row() { # row WHAT MEMBER OURS THEIRS: one line of the table
  local ours theirs
  ours=$(median "$2" <<<"$3") theirs=$(median "$2" <<<"$4")
  awk -v w="$1" -v a="$ours" -v b="$theirs" 'BEGIN { printf "%-44s %12s %12s %9.2f\n", w, a, b, (a > 0) ? b / a : 0 }'
}
equal() { # equal OUTPUT...: all digests are the same
  local digests
  digests=$(printf '%s\n' "$@" | member digest | sort -u)
  [ "$(wc -l <<<"$digests")" = 1 ] && return
  echo "the digests differ: ${digests//$'\n'/ }" >&2
  exit 1
}
of() { grep "\"op\":\"bench-$1\"" <<<"$2"; }
all() { grep '"projection":"\*"' <<<"$1"; }
two() { grep '"projection":"[^*]' <<<"$1"; }

coproc PEER { "$peer" serve; }
ours() { "$work/bench" "$1" --warehouse "$work/$2" --table bench.t "${@:3}"; }
theirs() { # theirs BENCHMARK TABLE FLAGS...: by one JVM for all, which is warm ever sooner
  local arg line args=""
  for arg in "bench-$1" --warehouse "$work/$2" --table bench.t "${@:3}"; do args+=",\"$arg\""; done
  echo "[${args:1}]" >&"${PEER[1]}"
  while IFS= read -r line <&"${PEER[0]}"; do
    case $line in
      '{"_end":0}') return ;;
      '{"_end":'*) exit 1 ;;
      '{"error"'*) echo "$line" >&2 ;;
      *) echo "$line" ;;
    esac
  done
  exit 1
}

writing() { # writing NAME FLAGS...: both sides write, each into its own table
  local go java
  go=$(ours ingest go --repeat 3 --wait-each --options "$(options "$1")" "${flags[@]}" "${@:2}")
  java=$(theirs ingest java --repeat 3 --wait-each --options "$(options "$1")" "${flags[@]}" "${@:2}")
  row "$1: write, seconds" seconds "$go" "$java"
  row "$1: write, CPU seconds" cpu_seconds "$go" "$java"
  row "$1: median commit, ms" commit_ms_p50 "$go" "$java"
  row "$1: bytes stored" bytes "$go" "$java"
}

reading() { # reading NAME: both sides read both tables
  local by go java digests=()
  for by in go java; do
    go=$(ours scan $by --digest --warmup 2 --warm-seconds "$warm")
    java=$(theirs scan $by --digest --warmup 2 --warm-seconds "$warm" --threads "$(nproc)")
    row "$1: scan of $by's table, seconds" seconds "$(all "$go")" "$(all "$java")"
    row "$1: scan of $by's table, CPU seconds" cpu_seconds "$(all "$go")" "$(all "$java")"
    row "$1: scan of two columns, CPU seconds" cpu_seconds "$(two "$go")" "$(two "$java")"
    digests+=("$go" "$java")
  done
  equal "${digests[@]}"
}

following() { # following NAME: both sides read the changes of both tables
  local by go java
  for by in go java; do
    go=$(ours changes $by --digest) java=$(theirs changes $by --digest)
    row "$1: changes of $by's table, CPU seconds" cpu_seconds "$(of changes "$go")" "$(of changes "$java")"
    equal "$go" "$java"
  done
}

looking() { # looking NAME: both sides look keys of Java's table up
  local go java
  go=$(ours lookup java --keys "$keys" --lookups 200000) java=$(theirs lookup java --keys "$keys" --lookups 200000)
  row "$1: 200,000 keys one by one, CPU seconds" cpu_seconds "$go" "$java"
}

compacting() { # both sides load their table write-only, then one job compacts it fully
  local go java
  go=$(ours compact go --repeat 3 "${flags[@]}") java=$(theirs compact java --repeat 3 "${flags[@]}")
  row "full compaction: seconds" seconds "$go" "$java"
  row "full compaction: CPU seconds" cpu_seconds "$go" "$java"
}

printf '%-44s %12s %12s %9s\n' "${flags[*]}" tidelake java java/ours
for name in "${what[@]}"; do
  case $name in
    compact) compacting; reading compact; looking compact ;;
    partial-update | aggregation) writing "$name" --nulls 50; reading "$name" ;;
    upsert | lookup-changelog) writing "$name"; reading "$name"; following "$name" ;;
    full-changelog) writing "$name" --full-each; reading "$name"; following "$name" ;;
    *) writing "$name"; reading "$name" ;;
  esac
done
echo "all digests are equal"
