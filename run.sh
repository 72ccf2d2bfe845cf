#!/usr/bin/env bash
# Starts the broker on localhost:9092 with its data in ./data, building it first where needed. Options go to the broker: ./run.sh --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. eng/build.sh

project=src/OrleansStream.Standalone
program=$project/bin/Release/net10.0/ostream-standalone.dll
stamp=$project/obj/run.stamp
if [ ! -f "$program" ] || changed_since "$stamp" src; then
  restore_solution
  say "Building (once; the next start takes a second) ..."
  mkdir -p "$(dirname "$stamp")"; touch "$stamp.new"
  dotnet build "$solution" -c Release --no-restore -v q --nologo -clp:"ErrorsOnly;NoSummary" >&2
  mv "$stamp.new" "$stamp"
fi
# exec: SIGTERM and Ctrl-C reach the broker itself, which drains and flushes.
exec dotnet "$program" "$@"
