// Package deadletter is the wire form of dead letters: how a record that could not be
// processed, and why, become a record of another topic. Package deadletter of the root
// reads them. All of it is pure.
package deadletter
