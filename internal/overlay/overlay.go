// Package overlay builds tests with changes laid over the sources, which stay as they
// are: what breaks the code on purpose, to see that something notices, is never in it.
package overlay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Edit replaces Old by Now in a file in which it occurs once.
type Edit struct {
	File     string // from the root of the module, with slashes
	Old, Now string
}

// Root is the folder of the module that the working directory is in.
func Root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Apply makes the edits and returns the changed files by their paths. Edits of one file
// are made one after the other.
func Apply(root string, edits ...Edit) (map[string]string, error) {
	files := map[string]string{}
	for _, e := range edits {
		path := filepath.Join(root, filepath.FromSlash(e.File))
		text, ok := files[path]
		if !ok {
			read, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("apply edit: %w", err)
			}
			text = string(read)
		}
		if n := strings.Count(text, e.Old); n != 1 {
			return nil, fmt.Errorf("%q occurs %d times in %s", e.Old, n, e.File)
		}
		files[path] = strings.Replace(text, e.Old, e.Now, 1)
	}
	return files, nil
}

// Build is a test binary to be made.
type Build struct {
	Root    string            // of the module
	Package string            // from the root, with slashes
	Tags    string            // build tags; empty: none
	Files   map[string]string // what is laid over files, by their paths; empty: nothing
	Out     string            // the binary; the overlay is put beside it
}

// Run makes the binary. Its error has what the compiler said.
func (b *Build) Run(ctx context.Context) error {
	args := []string{"test", "-c", "-vet=off", "-tags", b.Tags, "-o", b.Out}
	if len(b.Files) > 0 {
		overlay, err := b.write()
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+b.Package)...)
	cmd.Dir = b.Root
	var exit *exec.ExitError
	out, err := cmd.CombinedOutput()
	if errors.As(err, &exit) {
		return fmt.Errorf("does not compile: %s", FirstLines(string(out)))
	}
	return err
}

// write puts the changed files, and the overlay that names them, beside the binary.
func (b *Build) write() (string, error) {
	replace := map[string]string{}
	for path, text := range b.Files {
		file := fmt.Sprintf("%s.%d.go", b.Out, len(replace))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[path] = file
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := b.Out + ".json"
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// FirstLines is the beginning of what a program printed, on one line.
func FirstLines(s string) string {
	lines := strings.SplitN(strings.TrimSpace(s), "\n", 3)
	return strings.Join(lines[:min(2, len(lines))], " ")
}
