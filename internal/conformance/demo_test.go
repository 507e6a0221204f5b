//go:build kafka

package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// The demo judges itself on real brokers as it does on the embedded one, and removes its
// topics and its group.
func TestDemoOnRealBrokers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	runner, log := filepath.Join(dir, "runner"), filepath.Join(dir, "log")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", runner, "../../cmd/runner").CombinedOutput(); err != nil {
		t.Fatalf("build the runner: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), runner, "demo", "--brokers", broker(), "--log", log).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "verdict: every promise held") {
		t.Errorf("%v, want exit code 0 and a clean verdict:\n%s", err, out)
	}
	if !strings.Contains(string(out), "Troupe demo: brokers "+broker()) {
		t.Errorf("not on the brokers that were asked for:\n%s", out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	prefix := regexp.MustCompile(`troupe-demo-[a-z2-7]{8}\.`).FindString(string(text))
	if prefix == "" {
		t.Fatalf("the runtime's log names no topic of the demo:\n%s", text)
	}
	eventually(t, "no topic and group is left with "+prefix+" in its name", func() bool { return len(named(t, prefix)) == 0 })
}

// named are the topics and the groups that have part in their names.
func named(t *testing.T, part string) []string {
	t.Helper()
	cl, err := own()
	if err != nil {
		t.Fatal(err)
	}
	adm := kadm.NewClient(cl)
	topics, err := adm.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	groups, err := adm.ListGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(append(topics.Names(), groups.Groups()...), func(name string) bool { return !strings.Contains(name, part) })
}
