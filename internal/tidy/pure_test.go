package tidy

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// purePackages are functions of their inputs: no goroutine, no channel, no map order. What they may import is
// depguard's part, clocks and locks are forbidigo's.
var purePackages = []string{"internal/core", "internal/metadata", "supervision"}

func TestPurePackagesStayPure(t *testing.T) {
	t.Parallel()
	holds(t, pure)
	bites(t, pure, `
-- supervision/bad.go --
package supervision

import (
	"maps"
	"slices"
)

type table map[string]int

func bad(m table, c chan int) {
	go bad(nil, nil)
	select {}
	c <- 1
	<-c
	for range m {
	}
	for range maps.Keys(m) {
	}
	_ = maps.Values(m)
	for range slices.Sorted(maps.Keys(m)) {
	}
	for range []int{} {
	}
}
-- supervision/below/bad.go --
package below

var _ chan int
-- internal/core/mutants/main.go --
package main

func main() { go main() }
-- internal/core/core_test.go --
package core

func test() { go test() }
`,
		"supervision/bad.go:10: a channel type",
		"supervision/bad.go:11: a go statement",
		"supervision/bad.go:12: a select",
		"supervision/bad.go:13: a send",
		"supervision/bad.go:14: a receive",
		"supervision/bad.go:15: a range over a map",
		"supervision/bad.go:17: maps.Keys outside of slices.Sorted",
		"supervision/bad.go:19: maps.Values outside of slices.Sorted",
		"supervision/below/bad.go:3: a channel type",
	)
}

func pure(t *testing.T, m *module) []string {
	t.Helper()
	var wrong []string
	for dir, files := range m.pureFiles() {
		info := typesOf(t, m, dir, files)
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				if what := impurity(info, n); what != "" {
					wrong = append(wrong, fmt.Sprintf("%v: %s in a pure package", position(m, n), what))
				}
				return !isSorted(info, n)
			})
		}
	}
	return wrong
}

// pureFiles are the files of pure packages by folder. A command below one is not a part of it.
func (m *module) pureFiles() map[string][]*ast.File {
	files := map[string][]*ast.File{}
	for _, s := range m.files {
		for _, p := range purePackages {
			if strings.HasPrefix(s.name, p+"/") && !s.isTest() && s.ast.Name.Name != "main" {
				files[s.dir()] = append(files[s.dir()], s.ast)
			}
		}
	}
	return files
}

func position(m *module, n ast.Node) string {
	p := m.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// impurity names what is impure about a node, or is empty.
func impurity(info *types.Info, n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "a go statement"
	case *ast.SelectStmt:
		return "a select"
	case *ast.SendStmt:
		return "a send"
	case *ast.ChanType:
		return "a channel type"
	case *ast.UnaryExpr:
		if n.Op.String() == "<-" {
			return "a receive"
		}
	case *ast.RangeStmt:
		if _, ok := info.TypeOf(n.X).Underlying().(*types.Map); ok {
			return "a range over a map"
		}
	case *ast.CallExpr:
		if name := calledFrom(info, n, "maps"); name == "All" || name == "Keys" || name == "Values" {
			return "maps." + name + " outside of slices.Sorted"
		}
	}
	return ""
}

// isSorted tells whether a node puts what it is given in order, so that what stands inside may be unordered.
func isSorted(info *types.Info, n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	return ok && strings.HasPrefix(calledFrom(info, call, "slices"), "Sorted")
}

// calledFrom is the name of the function that a call calls, if it is one of package pkg.
func calledFrom(info *types.Info, call *ast.CallExpr, pkg string) string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	f, ok := info.Uses[sel.Sel].(*types.Func)
	if !ok || f.Pkg() == nil || f.Pkg().Path() != pkg {
		return ""
	}
	return f.Name()
}

// typesOf checks the types of one package. The compiler's export data of what it imports comes from the build cache.
func typesOf(t *testing.T, m *module, dir string, files []*ast.File) *types.Info {
	t.Helper()
	exports := map[string]string{}
	if imports := importsOf(t, files); len(imports) > 0 {
		exports = exportData(t, imports)
	}
	open := func(pkg string) (io.ReadCloser, error) {
		if exports[pkg] == "" {
			return nil, fmt.Errorf("export data of %s: %w", pkg, fs.ErrNotExist)
		}
		return os.Open(exports[pkg])
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: importer.ForCompiler(m.fset, "gc", open)}
	if _, err := conf.Check(dir, m.fset, files, info); err != nil {
		t.Fatal(err)
	}
	return info
}

func importsOf(t *testing.T, files []*ast.File) []string {
	t.Helper()
	var imports []string
	for _, f := range files {
		for _, i := range f.Imports {
			pkg, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			imports = append(imports, pkg)
		}
	}
	return imports
}

// exportData is where the compiler left the types of packages and of all that they import.
func exportData(t *testing.T, packages []string) map[string]string {
	t.Helper()
	args := append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "--"}, packages...)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		pkg, file, _ := strings.Cut(lines.Text(), " ")
		exports[pkg] = file
	}
	return exports
}
