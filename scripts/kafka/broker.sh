#!/usr/bin/env bash
# Apache Kafka on loopback for development and tests: one node, no ZooKeeper, its data thrown away by stop.
#   broker.sh start | stop | status
#   broker.sh with COMMAND...   runs a command with TROUPE_KAFKA and TROUPE_KAFKA_DIR set, on the broker that runs
#                               or on one of its own, which it stops again
# README.md beside this file has the environment, the listeners and the files that tests read.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PORT=${KAFKA_PORT:-9092}
DIR=${KAFKA_DIR:-${TMPDIR:-/tmp}/troupe-kafka-$PORT}
HEAP=${KAFKA_HEAP:-1g}
PID_FILE=$DIR/kafka.pid
HOST=127.0.0.1
CONTROLLER=$HOST:$((PORT + 1))
SASL_PLAINTEXT=$HOST:$((PORT + 2))
SASL_SSL=$HOST:$((PORT + 3))
MTLS=$HOST:$((PORT + 4))

# The process in the pid file is ours as long as its command line names our configuration.
is_running() {
  local pid
  pid=$(cat "$PID_FILE" 2> /dev/null) || return 1
  tr '\0' '\n' 2> /dev/null < "/proc/$pid/cmdline" | grep -qxF "$DIR/server.properties"
}

is_taken() { (exec 3<> "/dev/tcp/$HOST/$1") 2> /dev/null; }

# Serving clients means more than listening: an ApiVersions request (key 18, version 0) gets its answer.
is_serving() {
  local bytes
  bytes=$({ exec 3<> "/dev/tcp/$HOST/$PORT" || exit 1
            printf '\0\0\0\012\0\022\0\0\0\0\0\1\377\377' >&3
            timeout 2 head -c 8 <&3 | wc -c; } 2> /dev/null) && [ "$bytes" = 8 ]
}

# A CA, a server's and a client's certificate, and one that no one here trusts.
write_certificates() {
  local tls=$DIR/tls name
  mkdir -p "$tls"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -subj /CN=troupe-test-ca -keyout "$tls/ca.key" -out "$tls/ca.crt"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -subj /CN=stranger -keyout "$tls/stranger.key" -out "$tls/stranger.crt"
  printf 'subjectAltName=IP:%s,DNS:localhost\n' "$HOST" > "$tls/san"
  for name in server client; do
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
      -subj "/CN=$name" -keyout "$tls/$name.key" -out "$tls/$name.csr"
    openssl x509 -req -in "$tls/$name.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -CAcreateserial -days 30 \
      -extfile "$tls/san" -out "$tls/$name.crt"
  done
  cat "$tls/server.key" "$tls/server.crt" > "$tls/server.pem"
}

# One user per mechanism, named as it is; the password is in a file of its own.
write_passwords() {
  local user
  mkdir -p "$DIR/passwords"
  for user in plain scram256 scram512; do openssl rand -hex 16 | tr -d '\n' > "$DIR/passwords/$user"; done
}

write_secured_json() {
  cat > "$DIR/secured.json" << J
{
  "sasl_plaintext": "$SASL_PLAINTEXT",
  "sasl_ssl": "$SASL_SSL",
  "mtls": "$MTLS",
  "ca_file": "$DIR/tls/ca.crt",
  "client_cert_file": "$DIR/tls/client.crt",
  "client_key_file": "$DIR/tls/client.key",
  "stranger_cert_file": "$DIR/tls/stranger.crt",
  "stranger_key_file": "$DIR/tls/stranger.key",
  "users": [
    {"mechanism": "PLAIN", "username": "plain", "password_file": "$DIR/passwords/plain"},
    {"mechanism": "SCRAM-SHA-256", "username": "scram256", "password_file": "$DIR/passwords/scram256"},
    {"mechanism": "SCRAM-SHA-512", "username": "scram512", "password_file": "$DIR/passwords/scram512"}
  ]
}
J
}

jaas() { # jaas LISTENER: the mechanisms of one SASL listener
  local modules=org.apache.kafka.common.security
  cat << P
listener.name.$1.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.$1.plain.sasl.jaas.config=$modules.plain.PlainLoginModule required user_plain="$(cat "$DIR/passwords/plain")";
listener.name.$1.scram-sha-256.sasl.jaas.config=$modules.scram.ScramLoginModule required;
listener.name.$1.scram-sha-512.sasl.jaas.config=$modules.scram.ScramLoginModule required;
P
}

# Clients of the plaintext listener, and so the broker itself, may do everything; the others too, where no ACL says
# otherwise.
write_properties() {
  local advertised=PLAINTEXT://$HOST:$PORT,SASL_PLAINTEXT://$SASL_PLAINTEXT,SASL_SSL://$SASL_SSL,MTLS://$MTLS
  cat > "$DIR/server.properties" << P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$CONTROLLER
listeners=$advertised,CONTROLLER://$CONTROLLER
advertised.listeners=$advertised
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,MTLS:SSL
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$DIR/data

$(jaas sasl_plaintext)
$(jaas sasl_ssl)
ssl.keystore.type=PEM
ssl.keystore.location=$DIR/tls/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$DIR/tls/ca.crt
listener.name.mtls.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=true

num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=100
log.retention.ms=-1
${KAFKA_EXTRA:-}
P
}

write_log_config() {
  cat > "$DIR/log4j2.yaml" << 'L'
Configuration:
  status: error
  Appenders:
    Console:
      name: out
      PatternLayout: {pattern: "%d{ABSOLUTE} %p %c{1} %m%n"}
  Loggers:
    Root: {level: warn, AppenderRef: {ref: out}}
L
}

configure() {
  rm -rf "$DIR"
  (umask 077 && mkdir -p "$DIR/data")
  write_certificates > "$DIR/openssl.log" 2>&1 || { cat "$DIR/openssl.log" >&2; return 1; }
  write_passwords
  write_secured_json
  write_properties
  write_log_config
}

format() {
  java "${TOOL_JVM[@]}" -cp "$KAFKA_LIB/*" -Dlog4j2.configurationFile="$DIR/log4j2.yaml" kafka.tools.StorageTool \
    format --cluster-id AAAAAAAAAAAAAAAAAAAAAQ --config "$DIR/server.properties" \
    --add-scram "SCRAM-SHA-256=[name=scram256,password=$(cat "$DIR/passwords/scram256")]" \
    --add-scram "SCRAM-SHA-512=[name=scram512,password=$(cat "$DIR/passwords/scram512")]" \
    > "$DIR/format.log" 2>&1 || { cat "$DIR/format.log" >&2; return 1; }
}

# setsid gives the broker a session of its own, so that an interrupt in the terminal does not reach it.
launch() {
  setsid java -Xmx"$HEAP" -Xms"$HEAP" -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -Xshare:auto \
    -Dlog4j2.configurationFile="$DIR/log4j2.yaml" -cp "$KAFKA_LIB/*" kafka.Kafka "$DIR/server.properties" \
    > "$DIR/kafka.log" 2>&1 < /dev/null &
  local pid=$!
  echo "$pid" > "$PID_FILE"
  for _ in $(seq 600); do
    if is_serving; then return; fi
    kill -0 "$pid" 2> /dev/null || break
    sleep 0.1
  done
  echo "the broker does not serve:" >&2
  tail -n 20 "$DIR/kafka.log" >&2
  return 1
}

start() {
  local port
  if is_running; then echo "running already: $HOST:$PORT"; return; fi
  need java openssl setsid timeout
  for port in $(seq "$PORT" $((PORT + 4))); do
    if is_taken "$port"; then echo "$HOST:$port is taken by another program; set KAFKA_PORT" >&2; exit 1; fi
  done
  fetch_jars
  configure
  format
  launch
  echo "Apache Kafka $KAFKA_VERSION serves on $HOST:$PORT; $DIR/secured.json names the secured listeners"
}

stop() {
  if is_running; then
    local pid
    pid=$(cat "$PID_FILE")
    kill "$pid"
    for _ in $(seq 100); do is_running || break; sleep 0.1; done
    if is_running; then kill -9 "$pid"; fi
  fi
  rm -rf "$DIR"
  echo stopped
}

with() {
  if ! is_running; then
    trap stop EXIT
    start
  fi
  TROUPE_KAFKA=$HOST:$PORT TROUPE_KAFKA_DIR=$DIR "$@" && return
  local code=$?
  echo "the end of the broker's log:" >&2
  tail -n 20 "$DIR/kafka.log" >&2
  return "$code"
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  status) if is_running && is_serving; then echo "running: $HOST:$PORT"; else echo "not running"; exit 1; fi ;;
  with) shift; with "$@" ;;
  *) sed -n '3,6s/^# *//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
