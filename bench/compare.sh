#!/usr/bin/env bash
# Runs the same ingest and the same scans with this library and with real
# Apache Paimon in Java (interop/peer), one after the other, and prints both
# and the ratio of their times. Flags are those of both, for example
#
#   bench/compare.sh --rows 5000000 --keys 1000000 --cols 10 --commits 10
#
# Each side scans both tables; the digests of all four must be equal. Java is
# warmed up before it is timed, and its start is left out; run on a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
java=interop/peer/peer
repeat=3
flags=(--rows 1000000 --keys 200000 --cols 10 --commits 10 --seed 1)
[ $# -gt 0 ] && flags=("$@")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -d interop/peer/target/lib ] || interop/peer/build.sh
go build -o "$work/bench" ./bench

member() { sed -n "s/.*\"$1\":\"\\{0,1\\}\\([^\",}]*\\).*/\\1/p"; }     # of JSON lines
best() { member "$1" | sort -g | head -n 1; }
row() { # row WHAT MEMBER OURS THEIRS: one line of the table
  local ours theirs
  ours=$(best "$2" <<<"$3") theirs=$(best "$2" <<<"$4")
  awk -v w="$1" -v a="$ours" -v b="$theirs" 'BEGIN { printf "%-38s %12s %12s %9.2f\n", w, a, b, (a > 0) ? b / a : 0 }'
}
scan_go() { "$work/bench" scan --warehouse "$1" --table bench.t --repeat $repeat --digest; }
scan_java() { $java bench-scan --warehouse "$1" --table bench.t --repeat $repeat --digest --threads "$(nproc)"; }

go_in=$("$work/bench" ingest --warehouse "$work/go" --table bench.t "${flags[@]}")
java_in=$($java bench-ingest --warehouse "$work/java" --table bench.t --options write-only=true "${flags[@]}")
go_go=$(scan_go "$work/go") java_go=$(scan_java "$work/go")
go_java=$(scan_go "$work/java") java_java=$(scan_java "$work/java")

printf '%-38s %12s %12s %9s\n' "${flags[*]}" tidelake java java/ours
row "ingest: seconds" seconds "$go_in" "$java_in"
row "ingest: CPU seconds" cpu_seconds "$go_in" "$java_in"
row "ingest: median commit, ms" commit_ms_p50 "$go_in" "$java_in"
row "ingest: bytes stored" bytes "$go_in" "$java_in"
row "ingest: peak RSS, MiB" peak_rss_mib "$go_in" "$java_in"
all() { grep '"projection":"\*"' <<<"$1"; }
two() { grep '"projection":"[^*]' <<<"$1"; }
for by in go java; do
  ours=go_$by theirs=java_$by
  writer=tidelake; [ $by = java ] && writer=java
  row "scan of $writer's table: seconds" seconds "$(all "${!ours}")" "$(all "${!theirs}")"
  row "scan of $writer's table: CPU seconds" cpu_seconds "$(all "${!ours}")" "$(all "${!theirs}")"
  row "scan of two columns: seconds" seconds "$(two "${!ours}")" "$(two "${!theirs}")"
done
digests=$(printf '%s\n' "$go_go" "$java_go" "$go_java" "$java_java" | member digest | sort -u)
if [ "$(wc -l <<<"$digests")" != 1 ]; then
  echo "the digests differ: ${digests//$'\n'/ }" >&2
  exit 1
fi
echo "digest of all: $digests"
