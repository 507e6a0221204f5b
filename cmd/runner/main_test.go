package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "runner")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "runner")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the runner:", err)
		return 1
	}
	return m.Run()
}

// run runs the built binary and returns its exit code and what it printed. Nothing that
// it does may take longer than 30 s.
func run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, args...).CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("runner %v did not end within 30 s:\n%s", args, out)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		return exit.ExitCode(), string(out)
	}
	return 0, string(out)
}

func runDemo(t *testing.T, args ...string) (int, string) {
	t.Helper()
	return run(t, append([]string{"demo", "--duration", "3s", "--records", "2000"}, args...)...)
}

// count reads a line of the verdict: how many violations were found, of how many comparisons.
func count(t *testing.T, out, name string) (int, int) {
	t.Helper()
	m := regexp.MustCompile(`(?m)^  ` + regexp.QuoteMeta(name) + ` +([\d,]+)  of ([\d,]+) `).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no line %q in\n%s", name, out)
	}
	n := func(s string) int {
		i, err := strconv.Atoi(strings.ReplaceAll(s, ",", ""))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	return n(m[1]), n(m[2])
}

var counts = []string{"lost", "out of order per key", "early", "commit line past unfinished", "uncommitted at the end"}

func TestHealthyRunExits0(t *testing.T) {
	t.Parallel()
	code, out := runDemo(t)
	if code != 0 || !strings.Contains(out, "verdict: every promise held") {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	for _, name := range counts {
		if found, of := count(t, out, name); found != 0 || of == 0 {
			t.Errorf("%s: %d of %d", name, found, of)
		}
	}
	for _, want := range []string{"one at a time per partition", "lateness of the reminders", `[1-9]\d* restarts, [3-9] dead letters`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%q is not in the report:\n%s", want, out)
		}
	}
}

// A fault between the broker and the client is found by the count that it breaks.
func TestFaultExits1(t *testing.T) {
	t.Parallel()
	for fault, broken := range map[string]string{
		"drop":   "lost",
		"swap":   "out of order per key",
		"early":  "early",
		"commit": "commit line past unfinished",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			code, out := runDemo(t, "--fault", fault)
			if code != 1 || !strings.Contains(out, "verdict: a promise was broken") {
				t.Fatalf("exit code %d:\n%s", code, out)
			}
			if found, _ := count(t, out, broken); found == 0 {
				t.Errorf("%s: 0 in\n%s", broken, out)
			}
			if !regexp.MustCompile(`fault +` + fault + `, put [1-9]`).MatchString(out) {
				t.Errorf("the fault was not put:\n%s", out)
			}
		})
	}
}

func TestRunThatComparedNothingExits1(t *testing.T) {
	t.Parallel()
	code, out := run(t, "demo", "--records", "0", "--duration", "1s")
	if code != 1 || !strings.Contains(out, "verdict: a count that compared nothing says nothing") {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	for _, name := range counts {
		if found, of := count(t, out, name); found != 0 || of != 0 {
			t.Errorf("%s: %d of %d, want 0 of 0", name, found, of)
		}
	}
}

func TestInterruptEndsTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "demo")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err) // no line of progress
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || stderr.String() != "interrupted\n" {
		t.Errorf("%v, %q; want exit code 1 and that it was interrupted", err, stderr.String())
	}
}

func TestWrongUseIsExplained(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`unknown command "dmo"`:     {"dmo"},
		"--records -1":              {"demo", "--records", "-1"},
		"--duration 1h0m0s":         {"demo", "--duration", "1h"},
		`no fault "rain"`:           {"demo", "--fault", "rain"},
		"no broker of 127.0.0.1:1 ": {"demo", "--brokers", "127.0.0.1:1"},
	} {
		code, out := run(t, args...)
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("%v: exit code %d, want 1 and %q:\n%s", args, code, want, out)
		}
	}
}

func TestHelpNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	code, out := run(t, "demo", "--help")
	for _, want := range []string{"--brokers", "--records", "--duration", "--seed", "--log", "exit code"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit code %d, %q is missing:\n%s", code, want, out)
		}
	}
	if strings.Contains(out, "--fault") {
		t.Errorf("the faults are for tests:\n%s", out)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if code, out := run(t, "version"); code != 0 || !regexp.MustCompile(`^troupe, .+, go1\.\S+\n$`).MatchString(out) {
		t.Errorf("exit code %d: %q", code, out)
	}
	for want, info := range map[string]*debug.BuildInfo{
		"troupe, unknown, unknown": {},
		"troupe, v0.1.0, commit abc, go1.26.0": {
			GoVersion: "go1.26.0", Main: debug.Module{Version: "v0.1.0"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}},
		},
		"troupe, (devel), commit abc (modified), go1.26.0": {
			GoVersion: "go1.26.0", Main: debug.Module{Version: "(devel)"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}},
		},
	} {
		if got := describe(info); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
