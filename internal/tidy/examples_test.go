package tidy

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

func TestEveryExampleHasATest(t *testing.T) {
	t.Parallel()
	holds(t, testedExamples)
	bites(t, testedExamples, `
-- examples/tested/main.go --
package main
-- examples/tested/main_test.go --
package main

func TestMain_prints() {}
-- examples/untested/main.go --
package main
-- examples/hollow/main.go --
package main
-- examples/hollow/main_test.go --
package main

func helper() {}
`,
		"examples/hollow: no test",
		"examples/untested: no test",
	)
}

func testedExamples(_ *testing.T, m *module) []string {
	tested := map[string]bool{}
	for _, s := range m.files {
		if strings.HasPrefix(s.name, "examples/") {
			tested[s.dir()] = tested[s.dir()] || s.isTest() && slices.ContainsFunc(s.ast.Decls, isTest)
		}
	}
	var wrong []string
	for dir, ok := range tested {
		if !ok {
			wrong = append(wrong, dir+": no test runs this example")
		}
	}
	return wrong
}

func isTest(d ast.Decl) bool {
	f, ok := d.(*ast.FuncDecl)
	return ok && (strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Example"))
}
