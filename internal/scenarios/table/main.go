// Command table writes the table of scenarios into docs/guarantees.md, from what
// `go test -json` printed:
//
//	go test -tags synctests -json -run '^TestScenario' ./internal/scenarios/ | go run ./internal/scenarios/table
//
// Of a scenario that the input has no run of, the result of the last one stays.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const document = "docs/guarantees.md"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run() error {
	seen, err := read(os.Stdin)
	if err != nil {
		return err
	}
	head, err := exec.Command("git", "rev-parse", "--short=7", "HEAD").Output() //nolint:noctx // ends by itself
	if err != nil {
		return fmt.Errorf("git rev-parse: %w", err)
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	exist, err := tests(os.DirFS("."))
	if err != nil {
		return err
	}
	rows, err := build(old(string(text)), exist, seen, strings.TrimSpace(string(head)))
	if err != nil {
		return err
	}
	out, err := replace(string(text), render(rows))
	if err != nil {
		return err
	}
	if err := os.WriteFile(document, []byte(out), 0o644); err != nil { //nolint:gosec // a document
		return err
	}
	if failed := seen.failed(); len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}
