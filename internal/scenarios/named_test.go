package scenarios

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/troupe-go/troupe/internal/check"
)

// TestTwoScenariosNameEachCheck: a check that one scenario alone has work for could become
// empty with it.
func TestTwoScenariosNameEachCheck(t *testing.T) {
	t.Parallel()
	named := namedChecks(t)
	for _, c := range check.All() {
		if got := named[c.Name]; len(got) < 2 {
			t.Errorf("%s is named by the scenarios %v, want two at least", c.Name, got)
		}
	}
}

// namedChecks are the scenarios that name each check, themselves or in what they use.
func namedChecks(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	uses := map[string][]string{} // what each function and variable mentions
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			addUses(uses, d)
		}
	}
	named := map[string][]string{}
	scenario := regexp.MustCompile(`^TestScenario\d{3}`)
	for test := range uses {
		if number := scenario.FindString(test); number != "" {
			addNamed(named, uses, number, []string{test})
		}
	}
	return named
}

// addUses notes what a declaration mentions: names of this package, and check.S1 as S1.
func addUses(uses map[string][]string, d ast.Decl) {
	var of []string
	switch d := d.(type) {
	case *ast.FuncDecl:
		of = []string{d.Name.Name}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			if v, ok := s.(*ast.ValueSpec); ok {
				of = append(of, v.Names[0].Name)
			}
		}
	}
	ast.Inspect(d, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			for _, name := range of {
				uses[name] = append(uses[name], id.Name)
			}
		}
		return true
	})
}

func addNamed(named, uses map[string][]string, scenario string, todo []string) {
	done := map[string]bool{}
	isCheck := func(name string) bool {
		return slices.ContainsFunc(check.All(), func(c check.Check) bool { return c.Name == name })
	}
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		if done[name] {
			continue
		}
		done[name] = true
		if isCheck(name) {
			if !slices.Contains(named[name], scenario) {
				named[name] = append(named[name], scenario)
			}
			continue
		}
		todo = append(todo, uses[name]...)
	}
}
