package main

import "sync"

// memory is a store for this example. It is safe for concurrent use: lanes share it.
type memory struct {
	mu    sync.Mutex
	cents map[string]int
}

func newMemory() *memory { return &memory{cents: map[string]int{}} }

// Load is a customer's total.
func (m *memory) Load(customer string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cents[customer]
}

// Save sets a customer's total if it is from.
func (m *memory) Save(customer string, from, to int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cents[customer] != from {
		return errStale
	}
	m.cents[customer] = to
	return nil
}
