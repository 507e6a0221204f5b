//go:build lint

package tidy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// schemaRepo is a repository with the project's schemas, committed once on main, and nothing else.
type schemaRepo struct {
	t   *testing.T
	dir string
}

const schema = "proto/troupe/deadletter/v1/deadletter.proto"

func newSchemaRepo(t *testing.T) *schemaRepo {
	t.Helper()
	r := &schemaRepo{t: t, dir: t.TempDir()}
	for _, name := range []string{"buf.yaml", "buf.gen.yaml", "go.mod", "go.sum"} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(read(t, filepath.Join(root, name))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"proto", "scripts/proto"} {
		if err := os.CopyFS(filepath.Join(r.dir, name), os.DirFS(filepath.Join(root, name))); err != nil {
			t.Fatal(err)
		}
	}
	r.git("init", "--quiet", "--initial-branch=main")
	r.commit()
	return r
}

func (r *schemaRepo) git(args ...string) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (r *schemaRepo) commit() {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message=x")
}

// replace changes a file.
func (r *schemaRepo) replace(name, was, is string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	text := read(r.t, path)
	if !strings.Contains(text, was) {
		r.t.Fatalf("%s has no %q", name, was)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(text, was, is, 1)), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// check runs the checks in a folder, and wants them to say something; nothing: to pass.
func (r *schemaRepo) check(dir, want string) {
	r.t.Helper()
	buf := os.Getenv("BUF")
	if buf == "" {
		r.t.Fatal("BUF names no program: run `make lint`")
	}
	cmd := exec.CommandContext(r.t.Context(), "bash", "scripts/proto/check.sh", buf)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if (err == nil) != (want == "") || !strings.Contains(string(out), want) {
		r.t.Errorf("the check of the schemas ended with %v, want %q:\n%s", err, want, out)
	}
}

func TestPlantedFaultsInSchemasAreReported(t *testing.T) {
	t.Parallel()
	const hops = "int32 hops = 4;"
	for name, tt := range map[string]struct{ file, was, is, want string }{
		"nothing":      {schema, hops, hops, ""},
		"lint":         {schema, hops, "int32 Hops = 4;", "should be lower_snake_case"},
		"no comment":   {schema, "  // Its offset in that partition.\n", "", "should have a non-empty comment"},
		"a new type":   {schema, hops, "int64 hops = 4;", "the schemas break who reads what commit"},
		"a new number": {schema, hops, "int32 hops = 9;", "the schemas break who reads what commit"},
		"not generated": {
			schema, hops, hops + "\n\n  // More.\n  int32 more = 9;", "out of date: make generate",
		},
		"edited code": {"proto/troupe/deadletter/v1/deadletter.pb.go", "Hops ", "Hips ", "out of date: make generate"},
		"extra code":  {"proto/troupe/deadletter/v1/deadletter.pb.go", "package deadletterv1", "package deadletterv2", "out of date"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSchemaRepo(t)
			r.replace(tt.file, tt.was, tt.is)
			r.check(r.dir, tt.want)
		})
	}
}

// CI has a fresh clone whose only branch is main, with the change in its last commits.
func TestPlantedBreaksAreFoundInAFreshCloneOfMain(t *testing.T) {
	t.Parallel()
	r := newSchemaRepo(t)
	r.replace(schema, "int32 hops = 4;", "int64 hops = 4;")
	r.commit()
	r.replace(schema, "// Its headers, in their order.", "// The headers, in their order.")
	r.commit()
	clone, shallow := filepath.Join(t.TempDir(), "clone"), filepath.Join(t.TempDir(), "shallow")
	r.git("clone", "--quiet", r.dir, clone)
	r.check(clone, "the schemas break who reads what commit")
	r.git("clone", "--quiet", "--depth=1", "file://"+r.dir, shallow)
	r.check(shallow, "git fetch --unshallow")
}
