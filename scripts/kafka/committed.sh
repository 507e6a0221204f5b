#!/usr/bin/env bash
# Prints the committed offsets of a group as JSON lines, read with Kafka's own client.
#   committed.sh BOOTSTRAP GROUP
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need java
fetch_jars
exec java "${TOOL_JVM[@]}" -Dlog4j2.level=error -cp "$KAFKA_LIB/*" "$HERE/Committed.java" "$@"
