// Package tidy checks properties of the code itself that no linter covers. Its tests have no other subject than the
// module they stand in; testdata/planted.txt and the sources inside the tests show that each rule can fail.
package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// root is the module's root, seen from this package.
const root = "../.."

// module is the parsed source of a module, generated files aside.
type module struct {
	fsys  fs.FS
	fset  *token.FileSet
	files []source
}

// source is one Go file. name is its path from the module's root, with slashes.
type source struct {
	name, text string
	ast        *ast.File
}

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

func (s source) dir() string { return path.Dir(s.name) }

// isPublic tells whether another module can import what the file exports.
func (s source) isPublic() bool {
	segments := strings.Split(s.name, "/")
	return !s.isTest() && s.ast.Name.Name != "main" && !slices.Contains(segments, "internal")
}

// load parses a module, but not what stands in testdata or in a module of its own below it.
func load(fsys fs.FS) (*module, error) {
	m := &module{fsys: fsys, fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && m.isForeign(name):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		return m.parse(name)
	})
	return m, err
}

func (m *module) isForeign(dir string) bool {
	if dir == "." {
		return false
	}
	_, err := fs.Stat(m.fsys, path.Join(dir, "go.mod"))
	return err == nil || path.Base(dir) == "testdata" || strings.HasPrefix(path.Base(dir), ".")
}

func (m *module) parse(name string) error {
	src, err := fs.ReadFile(m.fsys, name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(m.fset, name, src, parser.ParseComments)
	if err != nil {
		return err
	}
	if !ast.IsGenerated(file) {
		m.files = append(m.files, source{name, string(src), file})
	}
	return nil
}

// tidyRule is a check of the whole module; it returns its complaints, each beginning with a file and what is wrong there.
type tidyRule func(t *testing.T, m *module) []string

// holds wants a rule to find nothing in this module.
func holds(t *testing.T, rule tidyRule) {
	t.Helper()
	m, err := load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, complaint := range rule(t, m) {
		t.Error(complaint)
	}
}

// bites wants a rule to make exactly these complaints of a bad module, written in sections; each want is the beginning
// of one.
func bites(t *testing.T, rule tidyRule, bad string, wants ...string) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, src := range sections(bad) {
		fsys[name] = &fstest.MapFile{Data: []byte(src)}
	}
	m, err := load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	got := rule(t, m)
	slices.Sort(got)
	slices.Sort(wants)
	if !slices.EqualFunc(got, wants, strings.HasPrefix) {
		t.Errorf("the rule complains\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(wants, "\n  "))
	}
}

// sections splits a text at its `-- name --` lines; what stands before the first is a comment.
func sections(text string) map[string]string {
	files := map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(rest, " --\n") {
			name = strings.TrimSuffix(rest, " --\n")
			continue
		}
		if name != "" {
			files[name] += line
		}
	}
	return files
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
