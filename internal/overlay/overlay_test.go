package overlay_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/internal/overlay"
)

// module is one of a single package, whose test prints a word.
func module(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":         "module m\n",
		"p/word.go":      "package p\n\nconst word, other = \"right\", 1\n",
		"p/word_test.go": "package p\n\nimport \"testing\"\n\nfunc TestWord(t *testing.T) { t.Log(word, other) }\n",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestBuild: what is built has the edits, and the source does not.
func TestBuild(t *testing.T) {
	t.Parallel()
	root := module(t)
	word := overlay.Edit{File: "p/word.go", Old: "right", Now: "wrong"}
	number := overlay.Edit{File: "p/word.go", Old: "= \"wrong\", 1", Now: "= \"wrong\", 2"}
	for _, test := range []struct {
		name  string
		edits []overlay.Edit
		says  string
	}{
		{"sound", nil, "right 1"},
		{"one", []overlay.Edit{word}, "wrong 1"},
		{"two", []overlay.Edit{word, number}, "wrong 2"},
	} {
		files, err := overlay.Apply(root, test.edits...)
		if err != nil {
			t.Fatal(err)
		}
		b := overlay.Build{Root: root, Package: "p", Files: files, Out: filepath.Join(t.TempDir(), test.name)}
		if err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), b.Out, "-test.v").CombinedOutput()
		if err != nil || !strings.Contains(string(out), test.says) {
			t.Errorf("%s: %v, want %q in %s", test.name, err, test.says, out)
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, "p", "word.go")); err != nil || !strings.Contains(string(text), "right") {
		t.Errorf("the source is %s, %v", text, err)
	}
}

// TestRefused: an edit must be plain, and its result compile.
func TestRefused(t *testing.T) {
	t.Parallel()
	root := module(t)
	for _, old := range []string{"gone", "r"} {
		_, err := overlay.Apply(root, overlay.Edit{File: "p/word.go", Old: old})
		if err == nil || !strings.Contains(err.Error(), " times in p/word.go") {
			t.Errorf("%q: %v", old, err)
		}
	}
	files, err := overlay.Apply(root, overlay.Edit{File: "p/word.go", Old: "const", Now: "konst"})
	if err != nil {
		t.Fatal(err)
	}
	b := overlay.Build{Root: root, Package: "p", Files: files, Out: filepath.Join(t.TempDir(), "broken")}
	if err := b.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "does not compile") {
		t.Errorf("built: %v", err)
	}
}
