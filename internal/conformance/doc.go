// Package conformance holds the tests against real Apache Kafka, which `make test-kafka`
// runs. They are built with the tag kafka.
//
// A member is the test binary itself, executed again: a process that a test can end by
// SIGTERM or SIGKILL and freeze by SIGSTOP. It holds one Runtime; its behavior follows a
// script and keeps a journal. Producers are kcat and plain clients, committed offsets are
// read by a client of their own and at the end by Kafka's own, and package check judges
// the history that all of them make up.
package conformance
