//go:build !synctests

package runtimetest

// tagged says that kgo and kfake wait on channels alone, as a bubble's clock needs.
const tagged = false
