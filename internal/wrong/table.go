package main

import "github.com/troupe-go/troupe/internal/overlay"

// wrong is a runtime that decides one thing wrongly.
type wrong struct {
	name  string
	check string // of internal/check, or a probe: it must find a violation
	why   string // what the decision is about
	edits []overlay.Edit
}

func in(folder, file, old, now string) overlay.Edit {
	return overlay.Edit{File: folder + "/" + file, Old: old, Now: now}
}

func core(file, old, now string) overlay.Edit   { return in("internal/core", file, old, now) }
func engine(file, old, now string) overlay.Edit { return in("internal/engine", file, old, now) }
func kafka(file, old, now string) overlay.Edit  { return in("internal/kafka", file, old, now) }

func one(e ...overlay.Edit) []overlay.Edit { return e }

// runtimes is the table, by check. Where two edits are made the decision is guarded
// twice, and with one of them the other guard holds: then the change is harmless.
func runtimes() []wrong {
	var all []wrong
	for _, part := range [][]wrong{losses(), commits(), orders(), fences(), delays(), duplicates(), contents(), letters(), phantoms(), positions(), memories(), endless()} {
		all = append(all, part...)
	}
	return all
}
