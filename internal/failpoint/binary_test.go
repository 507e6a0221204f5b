package failpoint_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// TestThereIsNothingOfItInABinary builds a program that holds the whole runtime. Without
// the tag no point is in it; with the tag each is, so the search would find one.
func TestThereIsNothingOfItInABinary(t *testing.T) {
	t.Parallel()
	points := declared(t)
	if len(points) < 40 {
		t.Fatalf("%d points are declared", len(points))
	}
	without, with := build(t), build(t, "-tags=failpoints")
	for _, p := range points {
		if bytes.Contains(without, []byte(p)) {
			t.Errorf("%s is in a binary without the tag", p)
		}
		if !bytes.Contains(with, []byte(p)) {
			t.Errorf("%s is in no binary with the tag: nothing hits it", p)
		}
	}
	if bytes.Contains(without, []byte("failpoint:")) || bytes.Contains(without, []byte("internal/failpoint.(*table)")) {
		t.Error("the table of failpoints is in a binary without the tag")
	}
}

func build(t *testing.T, args ...string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "runner")
	args = append([]string{"build", "-o", out}, append(args, "../../cmd/runner")...)
	if said, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, said)
	}
	program, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// declared are the values of the points in failpoint.go.
func declared(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "failpoint.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var points []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for _, v := range spec.Values {
			value, err := strconv.Unquote(v.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			points = append(points, value)
		}
		return false
	})
	return points
}
