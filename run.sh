#!/usr/bin/env bash
# Starts the broker on localhost:9092 with its data in ./data, building it first where needed. Options go to the broker: ./run.sh --help
# The engine is an Orleans silo where Orleans' packages can be restored, else the one process without; ENGINE=silo or ENGINE=standalone picks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. eng/build.sh

program_of() {
  case $1 in
    silo) echo src/OrleansStream.Silo/bin/Release/net10.0/ostream-silo.dll ;;
    standalone) echo src/OrleansStream.Standalone/bin/Release/net10.0/ostream-standalone.dll ;;
    *) die "ENGINE is silo or standalone, not '$1'" ;;
  esac
}
[ -z "${ENGINE:-}" ] || program_of "$ENGINE" >/dev/null

# The stamp says what was built.
stamp=src/OrleansStream.Standalone/obj/run.stamp
mkdir -p "$(dirname "$stamp")"
# Of several that start at once the first builds, and the others wait for it. (macOS has no flock: there, start the first one alone.) What
# the build leaves running must not keep the lock: it does not get 9.
exec 9>"$stamp.lock"
! command -v flock >/dev/null || flock 9
if [ ! -s "$stamp" ] || changed_since "$stamp" src || { [ "${ENGINE:-}" = silo ] && [ "$(cat "$stamp")" != OrleansStream.sln ]; }; then
  restore_solution 9>&-
  say "Building (once; the next start takes seconds) ..."
  printf '%s\n' "$solution" >"$stamp.new"
  projects=(Standalone); [ "$solution" != OrleansStream.sln ] || projects+=(Silo)
  for project in "${projects[@]}"; do
    dotnet build "src/OrleansStream.$project" -c Release --no-restore -v q --nologo -clp:"ErrorsOnly;NoSummary" >&2 9>&-
  done
  mv "$stamp.new" "$stamp"
fi
exec 9>&-
if [ "$(cat "$stamp")" = OrleansStream.sln ]; then engine=silo; else engine=standalone; fi
if [ "${ENGINE:-$engine}" = silo ] && [ "$engine" = standalone ]; then die "ENGINE=silo: Orleans' packages are not in this feed."; fi
engine=${ENGINE:-$engine}
say "Engine: $engine"
# exec: SIGTERM and Ctrl-C reach the broker itself, which drains and flushes.
exec dotnet "$(program_of "$engine")" "$@"
