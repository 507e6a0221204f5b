package tidy

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

const (
	fileLinesMax     = 500
	functionLinesMax = 70
)

func TestFilesAreSmall(t *testing.T) {
	t.Parallel()
	holds(t, smallFiles)
	bites(t, smallFiles,
		"-- a/long.go --\npackage a\n"+strings.Repeat("\n", 500)+"-- a/fits.go --\npackage a\n"+strings.Repeat("\n", 499)+"-- a/long_test.go --\npackage a\n"+strings.Repeat("\n", 600),
		"a/long.go: 501 lines")
}

func TestFunctionsAreSmall(t *testing.T) {
	t.Parallel()
	holds(t, smallFunctions)
	body := func(statements, comments int) string {
		return " {\n" + strings.Repeat("\tprintln()\n", statements) + strings.Repeat("\t// why\n", comments) + "}\n"
	}
	bites(t, smallFunctions,
		"-- a/a.go --\npackage a\n\nfunc fits()"+body(70, 30)+"\nfunc long()"+body(71, 0),
		"a/a.go:106: long has 71 lines")
}

func smallFiles(_ *testing.T, m *module) []string {
	var wrong []string
	for _, s := range m.files {
		if n := m.fset.File(s.ast.Pos()).LineCount(); !s.isTest() && n > fileLinesMax {
			wrong = append(wrong, fmt.Sprintf("%s: %d lines, at most %d: split it by responsibility", s.name, n, fileLinesMax))
		}
	}
	return wrong
}

func smallFunctions(_ *testing.T, m *module) []string {
	var wrong []string
	for _, s := range m.files {
		for _, d := range s.ast.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil || s.isTest() {
				continue
			}
			if n := codeLines(m.fset, s, f.Body); n > functionLinesMax {
				wrong = append(wrong, fmt.Sprintf("%s:%d: %s has %d lines, at most %d", s.name, m.fset.Position(f.Pos()).Line, f.Name.Name, n, functionLinesMax))
			}
		}
	}
	return wrong
}

// codeLines counts the lines between a body's braces, but not comments that have lines of their own.
func codeLines(fset *token.FileSet, s source, body *ast.BlockStmt) int {
	line := func(p token.Pos) int { return fset.Position(p).Line }
	n := line(body.Rbrace) - line(body.Lbrace) - 1
	for _, c := range s.ast.Comments {
		if c.Pos() > body.Lbrace && c.End() < body.Rbrace && startsLine(fset, s, c.Pos()) {
			n -= line(c.End()) - line(c.Pos()) + 1
		}
	}
	return n
}

// startsLine tells whether only blanks stand before p on its line.
func startsLine(fset *token.FileSet, s source, p token.Pos) bool {
	at := fset.Position(p)
	return strings.TrimSpace(s.text[at.Offset-at.Column+1:at.Offset]) == ""
}
