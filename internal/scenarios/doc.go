// Package scenarios holds the situations that Troupe must get right, as tests: the whole
// runtime against a Kafka in memory, in virtual time.
//
// A scenario names what must have been compared by package check. Its verdict rests on
// the journal of its own behaviors, the producer's acknowledgments and what a reader of
// its own sees on the broker.
package scenarios
