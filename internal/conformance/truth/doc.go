// Package truth asks the in-memory broker and Apache Kafka the same questions by raw
// requests, and holds the table in docs/kfake.md against what they answer. Its tests are
// built with the tag kafka; `make test-kafka` runs them.
package truth
