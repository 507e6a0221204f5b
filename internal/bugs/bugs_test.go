package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/internal/overlay"
)

// TestEveryFixCanBeTakenOut keeps the table up with the sources: make bug shows the rest.
func TestEveryFixCanBeTakenOut(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	document, err := os.ReadFile(filepath.Join(root, "docs", "guarantees.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range table() {
		if _, err := overlay.Apply(root, b.undo...); err != nil || len(b.undo) == 0 {
			t.Errorf("bug %d: %v", i+1, err)
		}
		if !exists(t, filepath.Join(root, b.pkg), b.test) {
			t.Errorf("bug %d: %s is not in %s", i+1, b.test, b.pkg)
		}
		row := "| " + strconv.Itoa(i+1) + " | " + b.what + " | " + b.commit + " |"
		if !strings.Contains(string(document), row) || !strings.Contains(string(document), "`"+b.test+"`") {
			t.Errorf("docs/guarantees.md has no row %q with `%s`", row, b.test)
		}
	}
}

func exists(t *testing.T, dir, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}

func TestWhatATestSaidFirst(t *testing.T) {
	t.Parallel()
	said := "=== RUN   TestX\n    logger.go:146: x_test.go: a log line\n    x_test.go:7: got 1, want 2\n--- FAIL: TestX (0.00s)\n"
	if got := message(said); got != "x_test.go:7: got 1, want 2" {
		t.Errorf("got %q", got)
	}
}
