//go:build lint

package tidy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A rule that names a wrong path or package matches nothing and says nothing, so each one has to report a violation.
func TestPlantedViolationsAreReported(t *testing.T) {
	t.Parallel()
	config := read(t, filepath.Join(root, ".golangci.yaml"))
	for _, complaint := range lintPlanted(t, config) {
		t.Error(complaint)
	}
}

func TestPlantedNoticesADeadRule(t *testing.T) {
	t.Parallel()
	config := read(t, filepath.Join(root, ".golangci.yaml"))
	dead := strings.Replace(config, `files: ["**/internal/engine/**"]`, `files: ["**/internal/motor/**"]`, 1)
	dead = strings.Replace(dead, `{pkg: pgregory.net/rapid,`, `{pkg: pgregory.org/rapid,`, 1)
	got := strings.Join(lintPlanted(t, dead), "\n")
	for _, want := range []string{
		"internal/engine/planted.go:9: engine-knows-no-kafka is silent",
		"engine-knows-no-kafka github.com/troupe-go/troupe/internal/kafka: no planted violation is reported",
		"no-test-deps-in-library pgregory.org/rapid: no planted violation is reported",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("a dead rule went unnoticed: got\n%s\nwant a line\n%s", got, want)
		}
	}
}

// The planted module has the folders that the rules name whether the project has them or not, so that a folder that
// was renamed here has to be noticed by itself. An exception for a folder that is not there is harmless.
func TestPlantedRulesNameRealFolders(t *testing.T) {
	t.Parallel()
	globs := 0
	for _, line := range block(read(t, filepath.Join(root, ".golangci.yaml")), "    depguard:") {
		for _, m := range folderGlob.FindAllStringSubmatch(line, -1) {
			globs++
			if !hasGoFiles(t, filepath.Join(root, m[1])) {
				t.Errorf("a rule is for %s, where there is no Go file", m[1])
			}
		}
	}
	if globs < 9 {
		t.Errorf("%d folders found in the rules, want 9 or more", globs)
	}
}

// hasGoFiles tells whether a folder, or one right below it, holds Go.
func hasGoFiles(t *testing.T, dir string) bool {
	t.Helper()
	for _, pattern := range []string{"*.go", "*/*.go"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			return true
		}
	}
	return false
}

// report is one finding of the linter, named as `// want` comments name it: a depguard rule by its own name, any
// other finding by its linter's.
type report struct {
	file       string
	line       int
	name, text string
}

func (r report) at() string { return fmt.Sprintf("%s:%d: %s", r.file, r.line, r.name) }

// lintPlanted runs the architecture linters of a config over the planted module and returns what is wrong.
func lintPlanted(t *testing.T, config string) []string {
	t.Helper()
	planted := sections(read(t, filepath.Join("testdata", "planted.txt")))
	reports := lint(t, config, planted)
	return slices.Concat(compareWants(planted, reports), silentRules(config, reports))
}

// compareWants holds every planted line against the reports, both ways.
func compareWants(planted map[string]string, reports []report) []string {
	silent := map[string]bool{}
	for file, src := range planted {
		for i, line := range strings.Split(src, "\n") {
			_, want, _ := strings.Cut(line, "// want ")
			for name := range strings.FieldsSeq(want) {
				silent[report{file: file, line: i + 1, name: name}.at()] = true
			}
		}
	}
	wanted := maps.Clone(silent)
	var wrong []string
	for _, r := range reports {
		if !wanted[r.at()] {
			wrong = append(wrong, fmt.Sprintf("%s is reported and not wanted: %s", r.at(), r.text))
		}
		delete(silent, r.at())
	}
	for _, at := range slices.Sorted(maps.Keys(silent)) {
		wrong = append(wrong, at+" is silent")
	}
	return wrong
}

// silentRules lists the rules of a config that no report comes from, down to single packages and patterns.
func silentRules(config string, reports []report) []string {
	var wrong []string
	for _, rule := range rulesOf(config) {
		if !slices.ContainsFunc(reports, rule.matches) {
			wrong = append(wrong, rule.name+" "+rule.detail+": no planted violation is reported")
		}
	}
	return wrong
}

// rule is a part of the config that must report something: a linter, a depguard rule and one package it denies, or a
// forbidigo pattern and its message.
type rule struct{ name, detail string }

func (r rule) matches(got report) bool {
	detail := r.detail
	if pkg, whole := strings.CutSuffix(detail, "$"); whole {
		detail = "'" + pkg + "'"
	}
	return got.name == r.name && strings.Contains(got.text, detail)
}

var (
	linterLine  = regexp.MustCompile(`^    - ([a-z]+)$`)
	folderGlob  = regexp.MustCompile(`"\*\*/([a-z/]+)/\*`)
	titleLine   = regexp.MustCompile(`^ {0,4}[a-z]+:`)
	ruleLine    = regexp.MustCompile(`^        ([a-z-]+):`)
	packageLine = regexp.MustCompile(`^            - \{pkg: ([^,]+), desc: `)
	patternLine = regexp.MustCompile(`^        - \{pattern: '.*', msg: "(.*)"\}`)
)

// rulesOf reads the rules from the config line by line, which saves the project a YAML parser;
// TestPlantedRulesAreFound notices a layout that this does not understand.
func rulesOf(config string) []rule {
	var rules []rule
	for _, name := range architectureLinters(config) {
		if name != "depguard" { // it reports under the names of its rules
			rules = append(rules, rule{name: name})
		}
	}
	list := ""
	for _, line := range block(config, "    depguard:") {
		if m := ruleLine.FindStringSubmatch(line); m != nil {
			list = m[1]
			rules = append(rules, rule{name: list})
		}
		if m := packageLine.FindStringSubmatch(line); m != nil {
			rules = append(rules, rule{list, m[1]})
		}
	}
	for _, line := range block(config, "    forbidigo:") {
		if m := patternLine.FindStringSubmatch(line); m != nil {
			rules = append(rules, rule{"forbidigo", m[1]})
		}
	}
	return rules
}

// architectureLinters lists the linters that the config enables for the sake of the architecture.
func architectureLinters(config string) []string {
	var names []string
	for _, line := range block(config, "    # architecture") {
		if m := linterLine.FindStringSubmatch(line); m != nil {
			names = append(names, m[1])
		}
	}
	return names
}

// block lists the lines from a title to the next title or comment on its level.
func block(config, title string) []string {
	_, rest, _ := strings.Cut(config, "\n"+title+"\n")
	lines := strings.Split(rest, "\n")
	end := slices.IndexFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "    #") || titleLine.MatchString(line)
	})
	return lines[:max(end, 0)]
}

func TestPlantedRulesAreFound(t *testing.T) {
	t.Parallel()
	rules := rulesOf(read(t, filepath.Join(root, ".golangci.yaml")))
	for _, want := range []rule{
		{"gochecknoinits", ""},
		{"core-is-pure", ""},
		{"no-test-deps-in-library", "go.uber.org/goleak"},
		{"judges-know-no-runtime", "github.com/troupe-go/troupe/runtime$"},
		{"forbidigo", "use the zap logger"},
	} {
		if !slices.Contains(rules, want) {
			t.Errorf("%v is not found in .golangci.yaml", want)
		}
	}
	if len(rules) < 50 {
		t.Errorf("%d rules found in .golangci.yaml, want 50 or more", len(rules))
	}
}

var depguardList = regexp.MustCompile(`from list '([a-z-]+)'`)

// lint lays the planted files out as a module and runs the architecture linters over it.
func lint(t *testing.T, config string, planted map[string]string) []report {
	t.Helper()
	dir := t.TempDir()
	files := maps.Clone(planted)
	files[".golangci.yaml"] = config
	for _, name := range []string{"go.mod", "go.sum"} {
		files[name] = read(t, filepath.Join(root, name))
	}
	for name, src := range files {
		write(t, filepath.Join(dir, name), src)
	}
	cmd := exec.CommandContext(t.Context(), linter(t), "run", "--enable-only", strings.Join(architectureLinters(config), ","),
		"--allow-parallel-runners", "--uniq-by-line=false", "--output.json.path=stdout", "--output.text.path=stderr", "--show-stats=false", "./...")
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var answer struct {
		Issues []struct {
			FromLinter, Text string
			Pos              struct {
				Filename string
				Line     int
			}
		}
	}
	if err := json.Unmarshal(out, &answer); err != nil || len(answer.Issues) == 0 {
		t.Fatalf("golangci-lint: %v\n%s\n%s", err, out, stderr.String())
	}
	var reports []report
	for _, i := range answer.Issues {
		name := i.FromLinter
		if m := depguardList.FindStringSubmatch(i.Text); m != nil {
			name = m[1]
		}
		reports = append(reports, report{i.Pos.Filename, i.Pos.Line, name, i.Text})
	}
	return reports
}

// linter is the pinned golangci-lint, as an absolute path.
func linter(t *testing.T) string {
	t.Helper()
	path := os.Getenv("GOLANGCI_LINT")
	if path == "" {
		t.Fatal("GOLANGCI_LINT names no golangci-lint: run `make lint`")
	}
	return path
}
