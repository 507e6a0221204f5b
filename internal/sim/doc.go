// Package sim plays whole runs of the runtime in one synctest bubble: runtimes, an
// in-memory Kafka, producers and faults, all from a [Plan] that a seed generates, judged
// by internal/check from the history alone.
//
// CONTRIBUTING.md says how to play seeds and how to write a plan.
package sim
