package tidy

import (
	"errors"
	"fmt"
	"go/ast"
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

const errorsDoc = "docs/errors.md"

func TestExportedErrorsAreExplained(t *testing.T) {
	t.Parallel()
	holds(t, explainedErrors)
	bites(t, explainedErrors, `
-- docs/errors.md --
# Errors

## Not drained!
It took too long.

<a id="revoked"></a>
-- actors/a.go --
package actors

// ErrRevoked is the cause after a revoke. See docs/errors.md#revoked.
var ErrRevoked = error(nil)

// ErrNotDrained is returned by Shutdown. See docs/errors.md#not-drained.
var ErrNotDrained = error(nil)

// ErrBare says no more.
var ErrBare = error(nil)

// ConfigError lists problems. See docs/errors.md#config.
type ConfigError struct{}

var errOwn = error(nil)

// Errand is no error.
type Errand struct{}
-- internal/a/a.go --
package a

var ErrInternal = error(nil)
`,
		"actors/a.go:10: ErrBare: its comment does not point to docs/errors.md#...",
		"actors/a.go:13: ConfigError: docs/errors.md has no #config",
	)
	bites(t, explainedErrors, "-- actors/a.go --\npackage actors\n\n// ErrA: docs/errors.md#a.\nvar ErrA = error(nil)\n",
		"actors/a.go:4: ErrA: docs/errors.md has no #a")
	bites(t, explainedErrors, "-- actors/a.go --\npackage actors\n")
}

var (
	anchorLink = regexp.MustCompile(`docs/errors\.md#([a-z0-9-]+)`)
	anchorID   = regexp.MustCompile(`<a (?:id|name)="([^"]+)">`)
	heading    = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	notInSlug  = regexp.MustCompile(`[^a-z0-9 _-]`)
	errorName  = regexp.MustCompile(`^(Err[A-Z].*|.*Error)$`)
)

func explainedErrors(t *testing.T, m *module) []string {
	t.Helper()
	anchors := anchorsOf(t, m.fsys)
	var wrong []string
	for _, s := range m.files {
		if !s.isPublic() {
			continue
		}
		for _, sym := range topLevel(s.ast) {
			if problem := unexplained(sym, anchors); problem != "" {
				wrong = append(wrong, fmt.Sprintf("%s: %s: %s", position(m, sym.name), sym.name, problem))
			}
		}
	}
	return wrong
}

// unexplained is what is wrong with how an error is explained; it is empty for what is no error.
func unexplained(sym symbol, anchors map[string]bool) string {
	if _, isFunc := sym.node.(*ast.FuncDecl); isFunc || !errorName.MatchString(sym.name.Name) {
		return ""
	}
	link := anchorLink.FindStringSubmatch(sym.doc)
	switch {
	case link == nil:
		return "its comment does not point to " + errorsDoc + "#..."
	case !anchors[link[1]]:
		return errorsDoc + " has no #" + link[1]
	}
	return ""
}

// anchorsOf lists what a link into docs/errors.md can name: explicit anchors, and headings in the form that Markdown
// renderers give them.
func anchorsOf(t *testing.T, fsys fs.FS) map[string]bool {
	t.Helper()
	text, err := fs.ReadFile(fsys, errorsDoc)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	anchors := map[string]bool{}
	for _, m := range anchorID.FindAllStringSubmatch(string(text), -1) {
		anchors[m[1]] = true
	}
	for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
		slug := notInSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), "")
		anchors[strings.ReplaceAll(slug, " ", "-")] = true
	}
	return anchors
}
