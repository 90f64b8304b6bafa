#!/usr/bin/env bash
# Runs the tests of the stores against a real S3 server: versitygw over a
# temporary directory, on loopback. The server is built once, into a cache.
# Everything else goes when the script ends.
set -eu

version=v1.8.0
cache=${TIDELAKE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidelake}/bin
cd "$(dirname "$0")/.."

gateway=$cache/versitygw-$version
if [ ! -x "$gateway" ]; then
	echo "building versitygw $version, once; this takes some minutes" >&2
	mkdir -p "$cache"
	# Outside the module, so that our go.mod neither governs nor notes it.
	again=$PWD/.ci/again
	(cd / && GOBIN=$cache GOFLAGS= "$again" nice go install "github.com/versity/versitygw/cmd/versitygw@$version")
	mv "$cache/versitygw" "$gateway"
fi

export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=testtest
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
port=${TIDELAKE_S3_PORT:-$((20000 + RANDOM % 10000))} # below those that connections take
while answers; do port=$((20000 + RANDOM % 10000)); done # it is somebody else's
dir=$(mktemp -d)
ROOT_ACCESS_KEY=$AWS_ACCESS_KEY_ID ROOT_SECRET_KEY=$AWS_SECRET_ACCESS_KEY \
	"$gateway" --port "127.0.0.1:$port" posix "$dir" >"$dir.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$dir" "$dir.log"' EXIT

# A directory of the posix backend is a bucket.
mkdir "$dir/tidelake"
tries=0
until answers; do
	tries=$((tries + 1))
	if [ "$tries" -gt 600 ] || ! kill -0 "$server" 2>/dev/null; then
		echo "versitygw did not start:" >&2
		cat "$dir.log" >&2
		exit 1
	fi
	sleep 0.1
done

TIDELAKE_S3_URL="s3://tidelake?region=us-east-1&endpoint=http://127.0.0.1:$port&use_path_style=true" \
	go test -count=1 -tags objectstore ./io/store/... "$@"
