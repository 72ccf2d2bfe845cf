# Sourced by run.sh and test.sh: what to build, and whether anything changed since it was built.

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 2; }

command -v dotnet >/dev/null || die "The .NET SDK is needed: https://dot.net (the version is in global.json)."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 MSBUILDDISABLENODEREUSE=1

# Sources newer than the stamp mean work; the stamp is written only after a build that succeeded.
changed_since() { # stamp, folder ...
  local stamp=$1; shift
  [ -f "$stamp" ] || return 0
  [ -n "$(find "$@" eng global.json Directory.*.props OrleansStream.* -type f -newer "$stamp" \
    -not -path '*/obj/*' -not -path '*/bin/*' -not -path '*/TestResults/*' -print -quit)" ]
}

# Not every package feed carries all of Orleans. Where it cannot be restored, everything else still builds, runs and is tested.
restore_solution() {
  local log; log=$(mktemp)
  solution=OrleansStream.sln
  if ! dotnet restore "$solution" -v q >"$log" 2>&1; then
    # The package is missing, or one that it stands on.
    if grep -qE 'NU(110[1-3]|1603).*Orleans' "$log"; then
      say "*** NO ORLEANS PACKAGES IN THIS FEED: the cluster (Grains, Silo, Client) is neither built nor tested; everything else is. ***"
      solution=OrleansStream.Standalone.slnf
      dotnet restore "$solution" -v q
    else
      cat "$log" >&2; rm -f "$log"; exit 1
    fi
  fi
  rm -f "$log"
}
