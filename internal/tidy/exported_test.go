package tidy

import (
	"fmt"
	"go/ast"
	"go/token"
	"testing"
)

// exportedMax keeps the public packages small: one more symbol is a decision. Methods and fields do not count.
var exportedMax = map[string]int{"actors": 29, "supervision": 14, "runtime": 51}

func TestPublicPackagesStaySmall(t *testing.T) {
	t.Parallel()
	holds(t, fewExported)
	bites(t, fewExported, "-- supervision/a.go --\npackage supervision\n\nconst (\n\tA0, A1, A2, A3, A4, A5, A6 = 0, 1, 2, 3, 4, 5, 6\n\tlower = 7\n)\n"+
		"-- supervision/b.go --\npackage supervision\n\ntype B0 struct{ C0, C1 int }\n\nfunc (B0) M0() {}\n\ntype (\n\tB1 int\n\tB2 int\n)\n\nvar B3, B4, B5, B6 int\n\nfunc B7() {}\n"+
		"-- supervision/b_test.go --\npackage supervision\n\nvar T0 int\n",
		"supervision: 15 exported symbols")
	bites(t, fewExported, "-- other/a.go --\npackage other\n\nfunc A() {}\n")
}

func TestExportedSymbolsAreDocumented(t *testing.T) {
	t.Parallel()
	holds(t, documented)
	bites(t, documented, `
-- actors/a.go --
package actors

// Documented says what it is.
type Documented interface {
	// Said is said.
	Said()
	Silent()
	hidden()
}

// One is documented with its method.
type One interface{ Method() }

type Bare struct{}

func (Bare) Method() {}

// Method is documented.
func (*Documented2) Method() {}

// Documented2 is documented.
type Documented2 struct{}

type lower struct{}

func (lower) Method() {}

// These are documented together.
const (
	A = 1
	B = 2
)

const (
	C = 1 // C is documented.
	D = 2
)

func Func() {}
-- internal/a/a.go --
package a

func Func() {}
-- cmd/a/main.go --
package main

func Func() {}
`,
		"actors/a.go:14: Bare is not documented",
		"actors/a.go:16: Method is not documented",
		"actors/a.go:36: D is not documented",
		"actors/a.go:39: Func is not documented",
		"actors/a.go:7: Silent is not documented",
	)
}

// symbol is one exported name with its comment.
type symbol struct {
	name *ast.Ident
	doc  string
	node ast.Node // the declaration, or the spec in a group
}

func fewExported(_ *testing.T, m *module) []string {
	count := map[string]int{}
	for _, s := range m.files {
		if s.isPublic() {
			count[s.dir()] += len(topLevel(s.ast))
		}
	}
	var wrong []string
	for dir, most := range exportedMax {
		if n := count[dir]; n > most {
			wrong = append(wrong, fmt.Sprintf("%s: %d exported symbols, at most %d", dir, n, most))
		}
	}
	return wrong
}

func documented(_ *testing.T, m *module) []string {
	var wrong []string
	for _, s := range m.files {
		if !s.isPublic() {
			continue
		}
		for _, sym := range append(topLevel(s.ast), methods(s.ast)...) {
			if sym.doc == "" {
				wrong = append(wrong, fmt.Sprintf("%s: %s is not documented", position(m, sym.name), sym.name))
			}
		}
	}
	return wrong
}

// topLevel lists a file's exported constants, variables, types and functions.
func topLevel(file *ast.File) []symbol {
	var symbols []symbol
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.IsExported() {
				symbols = append(symbols, symbol{d.Name, d.Doc.Text(), d})
			}
		case *ast.GenDecl:
			symbols = append(symbols, inGroup(d)...)
		}
	}
	return symbols
}

func inGroup(group *ast.GenDecl) []symbol {
	var symbols []symbol
	for _, spec := range group.Specs {
		var names []*ast.Ident
		doc := ""
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			names, doc = []*ast.Ident{spec.Name}, spec.Doc.Text()+spec.Comment.Text()
		case *ast.ValueSpec:
			names, doc = spec.Names, spec.Doc.Text()+spec.Comment.Text()
		}
		if doc == "" && (group.Tok != token.TYPE || !group.Lparen.IsValid()) {
			doc = group.Doc.Text()
		}
		for _, name := range names {
			if name.IsExported() {
				symbols = append(symbols, symbol{name, doc, spec})
			}
		}
	}
	return symbols
}

// methods lists the exported methods of a file's exported types and interfaces. An interface's only method is
// documented by the interface.
func methods(file *ast.File) []symbol {
	var symbols []symbol
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.IsExported() && receiver(f).IsExported() {
			symbols = append(symbols, symbol{f.Name, f.Doc.Text(), f})
		}
	}
	for _, sym := range topLevel(file) {
		spec, ok := sym.node.(*ast.TypeSpec)
		if !ok {
			continue
		}
		if own := inInterface(spec); len(own) > 1 {
			symbols = append(symbols, own...)
		}
	}
	return symbols
}

func inInterface(spec *ast.TypeSpec) []symbol {
	i, ok := spec.Type.(*ast.InterfaceType)
	if !ok {
		return nil
	}
	var symbols []symbol
	for _, f := range i.Methods.List {
		for _, name := range f.Names {
			if name.IsExported() {
				symbols = append(symbols, symbol{name, f.Doc.Text() + f.Comment.Text(), f})
			}
		}
	}
	return symbols
}

// receiver is the name of a method's type.
func receiver(f *ast.FuncDecl) *ast.Ident {
	expr := f.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e
		default:
			return ast.NewIdent("_")
		}
	}
}
