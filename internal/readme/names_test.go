package readme

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestWhatTheDocumentsNameExists holds every file, folder, anchor, make target and test
// that the documents name against the repository.
func TestWhatTheDocumentsNameExists(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/operating.md", "docs/errors.md", "docs/guarantees.md", "bench/README.md", "scripts/kafka/README.md",
	} {
		if wrong := unknown(os.DirFS(root(t)), name, read(t, name)); len(wrong) > 0 {
			t.Errorf("%s names what is not there:\n\t%s", name, strings.Join(wrong, "\n\t"))
		}
	}
}

// TestTheFileMapIsWhole wants every source file of the runtime in ARCHITECTURE's map, so
// that a reader finds any feature's room.
func TestTheFileMapIsWhole(t *testing.T) {
	t.Parallel()
	text := read(t, "ARCHITECTURE.md")
	for _, dir := range []string{"actors", "supervision", "runtime", "runtime/observe", "internal/core", "internal/engine", "internal/kafka"} {
		files, err := fs.Glob(os.DirFS(root(t)), dir+"/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, f := range files {
			base := path.Base(f)
			if !strings.HasSuffix(base, "_test.go") && base != "doc.go" && !strings.Contains(text, "`"+base+"`") {
				t.Errorf("%s is not in ARCHITECTURE.md's file map", f)
			}
		}
	}
}

func TestUnknownNamesAreFound(t *testing.T) {
	t.Parallel()
	const doc = "Run `make test`, `make sense` or\n\n    go run ./cmd/gone    # and `x`\n    make nothing\n    a/gone.sh\n\n" +
		"[here](a/b.go), [gone](a/c.go), [top](other.md#top), [down](other.md#down) and [out](https://example.com/x.go).\n\n" +
		"| `a` | `b.go`, `d.go`; `TestB`, `TestC` |\n\n`a/none.go`, `github.com/a/b`, `a/b.go`, `host:port`, `c.sh up`, `d.sh up`\n\n" +
		"```go\nx := \"make up\" // `no/path`\n```\n"
	files := fstest.MapFS{
		"Makefile":    {Data: []byte("test: ## a target\n\tgo test\n")},
		"a/b.go":      {Data: []byte("package a\n")},
		"a/b_test.go": {Data: []byte("package a\n\nfunc TestB(t *testing.T) {}\n")},
		"a/c.sh":      {Data: []byte("exit\n")},
		"other.md":    {Data: []byte("# Top\n")},
	}
	want := []string{
		"1: make sense", "3: ./cmd/gone", "4: make nothing", "5: a/gone.sh",
		"7: a/c.go", "7: other.md#down", "9: a/d.go", "9: TestC in a", "11: a/none.go", "11: d.sh",
	}
	if got := unknown(files, "doc.md", doc); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`)
	span    = regexp.MustCompile("`([^`]+)`")
	target  = regexp.MustCompile(`\bmake ([a-z][a-z-]*)`)
	command = regexp.MustCompile(`(?:^|\s)\./([\w./-]+)`)
	script  = regexp.MustCompile(`^(?:    )?([\w/-]+\.sh)(?: |$)`)
	file    = regexp.MustCompile(`^[\w.-]+\.(go|md|txt|ya?ml|java|xml|mod)$`)
	deeper  = regexp.MustCompile(`^[a-z.][\w.-]*(/[\w.-]+)+/?$`)
	test    = regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)[A-Z]\w*$`)
)

// document is a look through one document, line by line.
type document struct {
	repo  fs.FS
	name  string
	line  int
	dir   string // the folder named last, at first the document's: file and test names without one belong to it
	wrong []string
}

// unknown is what a document names that is not there, each with its line.
func unknown(repo fs.FS, name, text string) []string {
	d := document{repo: repo, name: name, dir: path.Dir(name)}
	fenced, foreign := false, false
	for i, line := range strings.Split(text, "\n") {
		d.line = i + 1
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
			foreign = fenced && line != "```" && line != "```sh"
		case foreign:
		case fenced, strings.HasPrefix(line, "    "):
			d.code(line)
		default:
			d.prose(line)
		}
	}
	return d.wrong
}

func (d *document) expect(ok bool, what string, args ...any) {
	if !ok {
		d.wrong = append(d.wrong, fmt.Sprintf("%d: %s", d.line, fmt.Sprintf(what, args...)))
	}
}

// code is a command or a line of a drawing.
func (d *document) code(text string) {
	for _, m := range target.FindAllStringSubmatch(text, -1) {
		d.expect(d.isTarget(m[1]), "make %s", m[1])
	}
	for _, m := range command.FindAllStringSubmatch(text, -1) {
		d.expect(d.exists(m[1]), "./%s", m[1])
	}
	if m := script.FindStringSubmatch(text); m != nil {
		d.expect(d.exists(m[1]) || d.exists(path.Join(d.dir, m[1])), "%s", m[1])
	}
}

func (d *document) prose(line string) {
	for _, m := range link.FindAllStringSubmatch(line, -1) {
		if !strings.Contains(m[1], "://") {
			d.link(m[1], m[2])
		}
	}
	for _, m := range span.FindAllStringSubmatch(line, -1) {
		d.code(m[1])
		d.span(m[1])
	}
}

func (d *document) link(to, anchor string) {
	if to == "" {
		to = path.Base(d.name)
	}
	at := path.Join(path.Dir(d.name), to)
	if !d.exists(at) {
		d.expect(false, "%s%s", to, anchor)
		return
	}
	d.expect(anchor == "" || d.hasAnchor(at, anchor[1:]), "%s%s", to, anchor)
}

// span is what stands between backticks.
func (d *document) span(text string) {
	switch {
	case test.MatchString(text):
		d.expect(d.hasTest(text), "%s in %s", text, d.dir)
	case file.MatchString(text):
		at := path.Join(d.dir, text)
		d.expect(d.exists(text) || d.exists(at), "%s", at)
	case deeper.MatchString(text) && !strings.HasPrefix(text, "github.com/"):
		d.expect(d.exists(text), "%s", text)
		d.dir = path.Clean(text)
		if base := path.Base(text); file.MatchString(base) || script.MatchString(base) {
			d.dir = path.Dir(d.dir)
		}
	case d.isFolder(text):
		d.dir = path.Clean(text)
	}
}

func (d *document) exists(name string) bool {
	_, err := fs.Stat(d.repo, path.Clean(name))
	return err == nil
}

func (d *document) isFolder(name string) bool {
	info, err := fs.Stat(d.repo, path.Clean(name))
	return err == nil && info.IsDir()
}

func (d *document) isTarget(name string) bool {
	makefile, err := fs.ReadFile(d.repo, "Makefile")
	return err == nil && regexp.MustCompile(`(?m)^`+name+`:`).Match(makefile)
}

// hasTest looks in the folder named last.
func (d *document) hasTest(name string) bool {
	files, err := fs.Glob(d.repo, path.Join(d.dir, "*_test.go"))
	return err == nil && slices.ContainsFunc(files, func(f string) bool {
		text, err := fs.ReadFile(d.repo, f)
		return err == nil && strings.Contains(string(text), "\nfunc "+name+"(")
	})
}

// hasAnchor looks for an explicit anchor, or a heading whose words are the anchor's.
func (d *document) hasAnchor(name, anchor string) bool {
	text, err := fs.ReadFile(d.repo, name)
	if err != nil {
		return false
	}
	return strings.Contains(string(text), `<a id="`+anchor+`">`) ||
		slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool {
			title, heading := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
			return heading && strings.HasPrefix(line, "#") && slug(title) == anchor
		})
}

// slug is the anchor that a heading gets.
func slug(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', '0' <= r && r <= '9', 'a' <= r && r <= 'z':
			return r
		}
		return -1
	}, strings.ToLower(title))
}
