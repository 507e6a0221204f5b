#!/usr/bin/env bash
# Measures Troupe beside a bare franz-go loop on a running Kafka, interleaved.
#   run.sh [throughput|wait|lateness]...     [all three]
# BROKERS  bootstrap broker                  [127.0.0.1:9092]
# RUNS     rounds of each comparison         [7]
# RECORDS  records of the throughput topic   [15000000]: runs of about 5 s
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
BROKERS=${BROKERS:-127.0.0.1:9092}
RUNS=${RUNS:-7}
RECORDS=${RECORDS:-15000000}
OUT=$(mktemp -d)
trap 'rm -rf "$OUT"' EXIT
go build -o "$OUT/bench" .
STAMP=$(date +%s)
bench() { "$OUT/bench" "$1" -brokers "$BROKERS" "${@:2}"; }

throughput() {
  local topic=bench-$STAMP
  bench fill -topic "$topic" -n "$RECORDS"
  bench loop -topic "$topic" -n "$RECORDS" > /dev/null # warms the broker and the page cache
  for _ in $(seq "$RUNS"); do
    bench loop -topic "$topic" -n "$RECORDS" >> "$OUT/throughput"
    bench troupe -topic "$topic" -n "$RECORDS" >> "$OUT/throughput"
  done
  bench compare "$OUT/throughput"
}

wait_per_record() {
  for lanes in 16 64; do
    local topic=bench-wait-$lanes-$STAMP n=$((lanes * 5000))
    bench fill -topic "$topic" -parts 1 -n "$n"
    for _ in $(seq "$RUNS"); do
      bench troupe -topic "$topic" -parts 1 -lanes "$lanes" -n "$n" -wait 1ms >> "$OUT/wait"
    done
  done
  bench compare "$OUT/wait"
}

date -u +%F
echo "Troupe $(git describe --always --dirty --exclude '*' 2> /dev/null || echo unknown), $(go list -m github.com/twmb/franz-go), $(go version)"
echo "Kafka $(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' ../scripts/kafka/pom.xml), if scripts/kafka started it"
grep -m1 'model name' /proc/cpuinfo || true
echo "$(nproc) processors"
for what in "${@:-throughput wait lateness}"; do
  for one in $what; do
    case $one in
      throughput) throughput ;;
      wait) wait_per_record ;;
      lateness) bench lateness -n 10000 -parts 1 -lanes 16 ;;
      *) echo "unknown comparison: $one" >&2; exit 2 ;;
    esac
  done
done
