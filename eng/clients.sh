# Sourced by test.sh: installs the Kafka clients that the tests start, each from its own registry.
#
# A client that a registry does not have, or that cannot be installed here, is named loudly and its tests are skipped. What a registry has and
# still could not be installed is a failure where CI is set: a build server must not turn green because a download broke.
# Sets and exports OSTREAM_ABSENT ("client: reason" lines, for the tests) and setup_failed.

cache=$PWD/.cache
setup_failed=0
OSTREAM_ABSENT=
absent() { # client, reason, whether the registry has it
  say "*** NOT INSTALLED: $1 ($2): its tests are skipped ***"
  OSTREAM_ABSENT+="$1: $2"$'\n'
  if [ "${3:-}" = offered ] && [ -n "${CI:-}" ]; then setup_failed=1; fi
}

peers=${KAFKA_PEERS:-$PWD/../shared/peers}
if [ -d "$peers" ]; then export KAFKA_PEERS; KAFKA_PEERS=$(cd "$peers" && pwd)
else say "*** NO KAFKA_PEERS ($peers): the comparisons with Apache Kafka and its own clients are skipped ***"; unset KAFKA_PEERS; fi

install_apt() { # package ...
  local root= missing=() package offered=()
  for package in "$@"; do dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || { for package in "${missing[@]}"; do absent "$package" "no apt on this system"; done; return 0; }
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || { for package in "${missing[@]}"; do absent "$package" "apt needs root"; done; return 0; }
    root="sudo -n"
  fi
  say "apt: ${missing[*]}"
  $root apt-get update -qq >&2 || say "apt-get update failed"
  for package in "${missing[@]}"; do
    if apt-cache show "$package" >/dev/null 2>&1; then offered+=("$package"); else absent "$package" "not in this system's package archive"; fi
  done
  [ ${#offered[@]} -gt 0 ] || return 0
  if ! DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends "${offered[@]}" >"$cache/apt.log" 2>&1; then
    tail -5 "$cache/apt.log" >&2
    for package in "${offered[@]}"; do dpkg -s "$package" >/dev/null 2>&1 || absent "$package" "apt-get install failed" offered; done
  fi
}

offered_by_npm() { grep -qE 'E404|ETARGET' "$1" || echo offered; }

install_npm() {
  command -v npm >/dev/null || install_apt npm
  command -v npm >/dev/null || { absent node "no npm"; absent azurite "no npm"; return 0; }
  tests/azurite/install 2>"$cache/azurite.log" || { tail -5 "$cache/azurite.log" >&2; absent azurite "npm install failed" "$(offered_by_npm "$cache/azurite.log")"; }
  local want; want=$(sha256sum tests/clients/package-lock.json | cut -d' ' -f1)
  [ "$(cat "$cache/node/stamp" 2>/dev/null)" = "$want" ] && return 0
  say "npm: kafkajs, @platformatic/kafka"
  rm -rf "$cache/node"; mkdir -p "$cache/node"
  cp tests/clients/package.json tests/clients/package-lock.json "$cache/node/"
  if (cd "$cache/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >"$cache/npm.log" 2>&1); then
    echo "$want" > "$cache/node/stamp"
  else
    tail -5 "$cache/npm.log" >&2
    absent node "npm ci failed" "$(offered_by_npm "$cache/npm.log")"
  fi
}

# The wheels beside Apache Kafka are for one Python version; another one goes without.
install_wheels() {
  [ -n "${KAFKA_PEERS:-}" ] && [ -d "$KAFKA_PEERS/python" ] || return 0
  [ -x "$cache/python/bin/python" ] && [ -f "$cache/python/stamp" ] && return 0
  say "pip: confluent-kafka, kafka-python, aiokafka from $KAFKA_PEERS/python"
  rm -rf "$cache/python"
  if /usr/bin/python3 -m venv --system-site-packages "$cache/python" >"$cache/pip.log" 2>&1 &&
     "$cache/python/bin/pip" install -q -I --no-index --find-links "$KAFKA_PEERS/python" confluent-kafka kafka-python aiokafka >>"$cache/pip.log" 2>&1
  then touch "$cache/python/stamp"
  else tail -3 "$cache/pip.log" >&2; absent python-wheels "they do not fit this Python"; fi
}

# A Kafka tool is a JVM each time, and most of its time goes into loading and compiling classes: it gets an archive of loaded ones, and for the
# short runs of the slice the quick compiler alone. The archive is of this Java and these jars; the consumer fails here, which loads as many.
prepare_java() {
  [ -n "${KAFKA_PEERS:-}" ] && command -v java >/dev/null || return 0
  local archive=$cache/java/tools.jsa want
  want=$( (java -version 2>&1; ls -l --time-style=full-iso "$KAFKA_PEERS/kafka/libs") | sha256sum)
  if [ "$(cat "$cache/java/stamp" 2>/dev/null)" != "$want" ]; then
    rm -rf "$cache/java"; mkdir -p "$cache/java"
    JAVA_OPTS="-XX:ArchiveClassesAtExit=$archive" "$KAFKA_PEERS/kafka/kafka" console-consumer --bootstrap-server 127.0.0.1:1 --topic none \
      --partition 0 --offset earliest --timeout-ms 1000 >"$cache/java.log" 2>&1 || true
    [ ! -f "$archive" ] || echo "$want" > "$cache/java/stamp"
  fi
  # Silent: it says a word on standard output where an archive does not fit.
  JAVA_OPTS="-Xlog:disable -XX:SharedArchiveFile=$archive"
  [ -n "${OSTREAM_FULL:-}" ] || JAVA_OPTS+=" -XX:TieredStopAtLevel=1"
  export JAVA_OPTS
}

mkdir -p "$cache"
install_apt kcat python3-kafka python3-confluent-kafka python3-lz4 python3-snappy python3-zstandard python3-crc32c python3-venv
if [ -n "${KAFKA_PEERS:-}" ] && ! command -v java >/dev/null; then install_apt openjdk-17-jre-headless; fi
install_npm
install_wheels
prepare_java
export OSTREAM_ABSENT OSTREAM_CLIENTS=$cache
