#!/usr/bin/env bash
# Passes all tests: a slice of what is long, in under 15 minutes; with --full the figures that the issues name.
# The last line is "N passed, N failed"; the exit code is 0 only when nothing failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
hang=5m
for option in "$@"; do
  case $option in
    --full) export OSTREAM_FULL=1; hang=90m ;;
    *) echo "usage: ./test.sh [--full]" >&2; exit 2 ;;
  esac
done
. eng/build.sh
. eng/clients.sh

restore_solution
dotnet build "$solution" -c Release --no-restore -v q --nologo -clp:"ErrorsOnly;NoSummary" >&2

results=$PWD/TestResults
rm -rf "$results"; mkdir -p "$results"
passed=0 failed=$setup_failed
[ "$setup_failed" = 0 ] || say "FAILED: a test client could not be installed (see above)"

attribute() { grep -o "<Counters [^>]*" "$1" | grep -o " $2=\"[0-9]*\"" | grep -o '[0-9]*'; }
for project in $(grep -lr Microsoft.NET.Test.Sdk --include='*.csproj' tests | sort); do
  name=$(basename "$project" .csproj)
  # The filter names projects, so a project that it leaves out is not run either.
  grep -q "$name.csproj" "$solution" || { say "SKIPPED: all of $name"; continue; }
  say; say "== $name"
  report=$results/$name.trx status=0 began=$SECONDS
  dotnet test "$project" -c Release --no-build --nologo -v q --logger "trx;LogFileName=$report" --logger "console;verbosity=minimal" \
    --blame-hang-timeout "$hang" --blame-hang-dump-type none >"$results/$name.log" 2>&1 || status=$?
  if [ ! -f "$report" ]; then
    # No report: either the project holds no test yet, which is no failure, or the run broke, which is one.
    if [ "$status" = 0 ]; then say "no tests"; else tail -20 "$results/$name.log" >&2; failed=$((failed + 1)); fi
    continue
  fi
  p=$(attribute "$report" passed) f=$(attribute "$report" failed)
  # A run that was cut short reports only what had ended by then.
  if [ "$status" != 0 ] && [ "$f" = 0 ]; then f=1; fi
  if [ "$status" != 0 ]; then
    # A message may be long (what a broker printed): how each begins says most. There is none where a run was cut short.
    { grep -A12 -E '^\s+Failed |^\s+Error Message:' "$results/$name.log" | cut -c1-500 | head -100 || true
      grep -vE '^\s*$|\[SKIP\]' "$results/$name.log" | tail -40; } >&2
  fi
  awk '/<UnitTestResult /{ name = ""; if (/outcome="NotExecuted"/ && match($0, /testName="[^"]*"/)) name = substr($0, RSTART + 10, RLENGTH - 11) }
       name && /<Message>/ { sub(/.*<Message>/, ""); sub(/<\/Message>.*/, ""); print "SKIPPED: " name ": " $0; name = "" }' "$report" >&2
  say "$p passed, $f failed in $name, $((SECONDS - began)) s"
  passed=$((passed + p)) failed=$((failed + f))
done
say
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
