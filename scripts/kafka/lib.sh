# Sourced by the scripts beside it: where the jars are, and how they get there.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KAFKA_VERSION=${KAFKA_VERSION:-$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$HERE/pom.xml")}
KAFKA_LIB=${KAFKA_LIB:-${XDG_CACHE_HOME:-$HOME/.cache}/troupe-kafka/$KAFKA_VERSION}

# A tool lives for a second: small heap, first compiler only.
TOOL_JVM=(-Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto)

need() {
  local program
  for program in "$@"; do
    command -v "$program" > /dev/null || { echo "$program is missing; see scripts/kafka/README.md" >&2; exit 1; }
  done
}

# Fills KAFKA_LIB. The folder appears when it is complete, so that an interrupted download leaves none.
fetch_jars() {
  if compgen -G "$KAFKA_LIB/kafka_*.jar" > /dev/null; then return; fi
  need mvn
  echo "fetching the jars of Apache Kafka $KAFKA_VERSION" >&2
  rm -rf "$KAFKA_LIB" "$KAFKA_LIB.part"
  mvn -q -B -f "$HERE/pom.xml" dependency:copy-dependencies \
    -Dkafka.version="$KAFKA_VERSION" -DincludeScope=runtime -DoutputDirectory="$KAFKA_LIB.part"
  mv "$KAFKA_LIB.part" "$KAFKA_LIB"
}
