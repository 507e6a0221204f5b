// Command bugs takes the fix of a bug out again, over the sources as they are, and shows
// that the test named for it fails then and passes otherwise:
//
//	go run ./internal/bugs -n 3
//
// Without -n it does so for every bug of the table. The exit code is 1 when a test does
// not notice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/internal/overlay"
)

// bug is one that was found and fixed. Its number and its test stand in
// docs/guarantees.md.
type bug struct {
	what   string // that went wrong
	commit string // that fixed it
	pkg    string // of the test, from the root
	test   string
	undo   []overlay.Edit // take the fix out
}

func main() {
	number := flag.Int("n", 0, "the `number` of the bug; 0: all")
	flag.Parse()
	if err := run(context.Background(), *number); err != nil {
		fmt.Fprintln(os.Stderr, "bugs:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, number int) error {
	all := table()
	if number < 0 || number > len(all) {
		return fmt.Errorf("there are bugs 1 to %d", len(all))
	}
	root, err := overlay.Root(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bugs")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is a temporary folder
	var unnoticed []error
	for i, b := range all {
		if number != 0 && number != i+1 {
			continue
		}
		fmt.Fprintf(os.Stdout, "%d. %s (%s)\n", i+1, b.what, b.commit)
		if err := b.show(ctx, root, filepath.Join(dir, strconv.Itoa(i+1))); err != nil {
			unnoticed = append(unnoticed, fmt.Errorf("bug %d: %w", i+1, err))
		}
	}
	return errors.Join(unnoticed...)
}

// show runs the test with the fix and without it.
func (b bug) show(ctx context.Context, root, out string) error {
	said, err := b.try(ctx, root, out, nil)
	if err != nil || !strings.Contains(said, "--- PASS: "+b.test+" ") {
		return fmt.Errorf("%s with the fix: %w: %s", b.test, err, overlay.FirstLines(said))
	}
	fmt.Fprintf(os.Stdout, "   with the fix:    %s %s passes\n", b.pkg, b.test)
	changed, err := overlay.Apply(root, b.undo...)
	if err != nil {
		return err
	}
	said, err = b.try(ctx, root, out, changed)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return fmt.Errorf("%s passes without the fix", b.test)
	case !errors.As(err, &exit), !b.failed(said):
		return fmt.Errorf("%s without the fix: %w: %s", b.test, err, overlay.FirstLines(said))
	}
	fmt.Fprintf(os.Stdout, "   without the fix: it fails: %s\n", message(said))
	return nil
}

// failed reports whether the test did, or was still running when its time was over.
func (b bug) failed(said string) bool {
	hangs := strings.Contains(said, "panic: test timed out after") && strings.Contains(said, "\t"+b.test+" (")
	return hangs || strings.Contains(said, "--- FAIL: "+b.test+" ")
}

// try builds the package's tests and runs the one.
func (b bug) try(ctx context.Context, root, out string, changed map[string]string) (string, error) {
	build := overlay.Build{Root: root, Package: b.pkg, Tags: "synctests failpoints", Files: changed, Out: out}
	if err := build.Run(ctx); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, out, "-test.v", "-test.timeout=1m", "-test.run=^"+b.test+"$")
	cmd.Dir = filepath.Join(root, filepath.FromSlash(b.pkg))
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// message is the first thing that a failed test said.
func message(said string) string {
	for line := range strings.Lines(said) {
		if at := strings.Index(line, "_test.go:"); at >= 0 && !strings.Contains(line, "logger.go") {
			return strings.TrimSpace(line)
		}
		if strings.HasPrefix(line, "panic: test timed out") {
			return strings.TrimSpace(line)
		}
	}
	return overlay.FirstLines(said)
}
