package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// What gremlins says of a mutant.
const (
	killed     = "KILLED"
	lived      = "LIVED"
	notCovered = "NOT COVERED"
	timedOut   = "TIMED OUT"
	notViable  = "NOT VIABLE"
)

// mutant is one small change.
type mutant struct {
	file        string // its path in the module
	row, column int    // from 1; column in bytes
	operator    string // of gremlins
	status      string

	text string // of the changed file
	in   string // the function that it is in; empty: in none
	line string // the changed line
}

// operator is one of gremlins' ways to change a program.
type operator struct {
	name, flag string
	changes    map[string]string // what stands there, and what it becomes
}

// operators are all of them, but for one that makes nothing new.
var operators = []operator{ //nolint:gochecknoglobals // a table
	{"ARITHMETIC_BASE", "arithmetic-base", pairs("+ - - + * / / * % *")},
	{"CONDITIONALS_BOUNDARY", "conditionals-boundary", pairs(">= > > >= <= < < <=")},
	{"CONDITIONALS_NEGATION", "conditionals-negation", pairs("== != != == >= < < >= <= > > <=")},
	{"INCREMENT_DECREMENT", "increment-decrement", pairs("++ -- -- ++")},
	{"INVERT_ASSIGNMENTS", "invert-assignments", pairs("+= -= -= += *= /= /= *= %= %=")},
	{"INVERT_BITWISE", "invert-bitwise", pairs("& | | & ^ & &^ & << >> >> <<")},
	{"INVERT_BWASSIGN", "invert-bwassign", pairs("&= |= |= &= ^= &= &^= &= <<= >>= >>= <<=")},
	{"INVERT_LOGICAL", "invert-logical", pairs("&& || || &&")},
	{"INVERT_LOOPCTRL", "invert-loopctrl", pairs("break continue continue break")},
	{"REMOVE_SELF_ASSIGNMENTS", "remove-self-assignments", pairs("+= = -= = *= = /= = %= = &= = |= = ^= = &^= = <<= = >>= =")},
}

func pairs(words string) map[string]string {
	changes := map[string]string{}
	for all := strings.Fields(words); len(all) > 0; all = all[2:] {
		changes[all[0]] = all[1]
	}
	return changes
}

// change makes the changed file and line of a mutant.
func (m *mutant) change(root string) error {
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, m.file, source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(string(source), "\n")
	if m.row > len(lines) || m.column > len(lines[m.row-1]) {
		return fmt.Errorf("%s has no %d:%d", m.file, m.row, m.column)
	}
	line := lines[m.row-1]
	old, now := m.swap(line[m.column-1:])
	if old == "" {
		return fmt.Errorf("%s:%d:%d: no place for %s", m.file, m.row, m.column, m.operator)
	}
	lines[m.row-1] = line[:m.column-1] + now + line[m.column-1+len(old):]
	m.text, m.line = strings.Join(lines, ""), strings.TrimSpace(lines[m.row-1])
	m.in = function(fset, file, m.row)
	return nil
}

// swap is what text begins with, the longest that the operator knows, and what it
// becomes.
func (m *mutant) swap(text string) (string, string) {
	old, now := "", ""
	for _, o := range operators {
		if o.name != m.operator {
			continue
		}
		for from, to := range o.changes {
			if strings.HasPrefix(text, from) && len(from) > len(old) {
				old, now = from, to
			}
		}
	}
	return old, now
}

// function is the one that a line is in.
func function(fset *token.FileSet, file *ast.File, row int) string {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if ok && fset.Position(f.Pos()).Line <= row && row <= fset.Position(f.End()).Line {
			return f.Name.Name
		}
	}
	return ""
}

// checker checks the types of one package with one file changed.
type checker struct {
	dir     string
	fset    *token.FileSet
	files   map[string]*ast.File
	imports types.Importer
}

func newChecker(root, dir string) (*checker, error) {
	cmd := exec.CommandContext(context.Background(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", "./"+dir)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		exports[path] = file
	}
	c := &checker{dir: dir, fset: token.NewFileSet(), files: map[string]*ast.File{}}
	c.imports = importer.ForCompiler(c.fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, errors.New("no export data of " + path)
		}
		return os.Open(exports[path])
	})
	names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(c.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		c.files[filepath.Base(name)] = f
	}
	return c, c.check(nil)
}

// check says why a mutant does not compile; of none: the package as it is.
func (c *checker) check(m *mutant) error {
	var files []*ast.File
	for name, f := range c.files {
		if m != nil && name == filepath.Base(m.file) {
			changed, err := parser.ParseFile(c.fset, name, bytes.NewBufferString(m.text), parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			f = changed
		}
		files = append(files, f)
	}
	config := types.Config{Importer: c.imports}
	_, err := config.Check(c.dir, c.fset, files, nil)
	return err
}
