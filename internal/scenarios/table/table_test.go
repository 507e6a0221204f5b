package main

import (
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/troupe-go/troupe/internal/scenarios/list"
)

const output = `{"Action":"attr","Package":"x/internal/scenarios","Test":"TestScenario001A/one","Key":"scenario","Value":"{\"number\":1,\"faults\":{\"join\":2},\"compared\":{\"S1\":30}}"}
{"Action":"attr","Package":"x/internal/scenarios","Test":"TestScenario001A/two","Key":"scenario","Value":"{\"number\":1,\"faults\":{\"join\":1},\"compared\":{\"S1\":4,\"S2\":6}}"}
{"Action":"pass","Package":"x/internal/scenarios","Test":"TestScenario001A/one"}
{"Action":"pass","Package":"x/internal/scenarios","Test":"TestScenario001A"}
{"Action":"fail","Package":"x/internal/scenarios","Test":"TestScenario002B"}
FAIL
{"Action":"pass","Package":"x/internal/conformance","Test":"TestAMemberIsFrozenPastItsSession"}
`

func TestRowsComeFromWhatTheTestsSaid(t *testing.T) {
	t.Parallel()
	seen, err := read(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	exist := map[int][]string{1: {"TestScenario001A"}, 2: {"TestScenario002B"}, 3: {"TestScenario003C"}}
	before := map[int]row{3: {last: "pass, 1 faults, 2 compared; Kafka: pass", at: "0ld0000; 0ld1111"}}
	rows, err := build(before, exist, seen, "abcdef0")
	if err != nil {
		t.Fatal(err)
	}
	for number, want := range map[int][2]string{
		1: {"pass, 3 faults, 40 compared; Kafka: not run", "abcdef0; -"},
		2: {"fail, 0 faults, 0 compared", "abcdef0"},
		3: {"pass, 1 faults, 2 compared; Kafka: pass", "0ld0000; 0ld1111"},
		9: {"Kafka: pass", "abcdef0"},
		// Scenarios that nothing shows say what they wait for.
		112: {"waits for state on disk: there is none", "-"},
	} {
		if got := rows[number-1]; got.last != want[0] || got.at != want[1] {
			t.Errorf("row %d: %q at %q, want %q at %q", number, got.last, got.at, want[0], want[1])
		}
	}
	if got := seen.failed(); !slices.Equal(got, []string{"internal/scenarios TestScenario002B"}) {
		t.Errorf("failed: %q", got)
	}
	text, err := replace("a\n"+begin+"\nold\n"+end+"\nz\n", render(rows))
	if err != nil || !strings.HasPrefix(text, "a\n") || !strings.HasSuffix(text, "\nz\n") || strings.Contains(text, "old\n") {
		t.Errorf("the table was put into %q, %v", text, err)
	}
	if again := old(text); again[1] != rows[0] || len(again) != len(rows) {
		t.Errorf("read back %d rows, the first as %+v, want %+v", len(again), again[1], rows[0])
	}
	if _, err := replace("no markers", ""); err == nil {
		t.Error("a document without markers was accepted")
	}
}

// TestTheTableIsWhole holds the document against the list and the tests that there are.
func TestTheTableIsWhole(t *testing.T) {
	t.Parallel()
	repo := os.DirFS("../../..")
	if wrong := missing(t, repo); len(wrong) > 0 {
		t.Errorf("%s (make scenarios):\n\t%s", document, strings.Join(wrong, "\n\t"))
	}
}

func TestWhatIsMissingIsFound(t *testing.T) {
	t.Parallel()
	source := "package s\n\nfunc TestScenario007X(t *testing.T) {}\n\nfunc TestScenario777X(t *testing.T) {}\n"
	repo := fstest.MapFS{
		document:                   {Data: []byte(begin + "\n" + head + "| 7 | a | b | - | - | c | - |\n" + end)},
		bubblePkg + "/a_test.go":   {Data: []byte(source)},
		kafkaPkg + "/rest_test.go": {Data: []byte("package c\n")},
	}
	wrong := missing(t, repo)
	for _, want := range []string{"no row 116", "TestScenario007X is not in row 7", "TestScenario777X has a number that no scenario has", "TestCleanStop is not in " + kafkaPkg} {
		if !slices.Contains(wrong, want) {
			t.Errorf("%q was not found in %q", want, wrong)
		}
	}
}

func missing(t *testing.T, repo fs.FS) []string {
	t.Helper()
	text, err := fs.ReadFile(repo, document)
	if err != nil {
		t.Fatal(err)
	}
	exist, err := tests(repo)
	if err != nil {
		t.Fatal(err)
	}
	all, err := list.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 116 {
		t.Errorf("%d scenarios are listed, want 116", len(all))
	}
	return append(wrongRows(all, old(string(text)), exist), wrongTests(t, repo, all, exist)...)
}

func wrongRows(all []list.Scenario, rows map[int]row, exist map[int][]string) []string {
	var wrong []string
	say := func(parts ...string) { wrong = append(wrong, strings.Join(parts, "")) }
	for _, s := range all {
		n := strconv.Itoa(s.Number)
		r, ok := rows[s.Number]
		if !ok {
			say("no row ", n)
			continue
		}
		for _, name := range exist[s.Number] {
			if !strings.Contains(r.bubble, "`"+name+"`") {
				say(name, " is not in row ", n)
			}
		}
		if s.Waits == "" && s.Kafka == "" && len(exist[s.Number]) == 0 {
			say("scenario ", n, " has no test and waits for nothing")
		}
		if s.Waits != "" && len(exist[s.Number]) > 0 {
			say("scenario ", n, " has a test and still waits")
		}
	}
	return wrong
}

func wrongTests(t *testing.T, repo fs.FS, all []list.Scenario, exist map[int][]string) []string {
	t.Helper()
	var wrong []string
	for n, names := range exist {
		if n < 1 || n > len(all) {
			wrong = append(wrong, names[0]+" has a number that no scenario has")
		}
	}
	files, err := fs.Glob(repo, kafkaPkg+"/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	for _, f := range files {
		text, err := fs.ReadFile(repo, f)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(text)
	}
	for _, s := range all {
		if s.Kafka != "" && !strings.Contains(sources.String(), "\nfunc "+s.Kafka+"(") {
			wrong = append(wrong, s.Kafka+" is not in "+kafkaPkg)
		}
	}
	return wrong
}
