// Package readme holds the documents against the code: README's program runs, and what
// the documents name exists.
package readme

import (
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"
	"time"
)

// root is the folder of the repository, two above this file.
func root(t *testing.T) string {
	t.Helper()
	_, file, _, ok := goruntime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		t.Fatalf("this file is at %q: the tests want to know where, so build them without -trimpath", file)
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// await polls until ok, for a generous time.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	const patience, step = 20 * time.Second, 10 * time.Millisecond
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for begun := time.Now(); !ok(); <-ticker.C {
		if time.Since(begun) > patience {
			t.Fatalf("after %v there is not: %s", patience, what)
		}
	}
}
