//go:build kafka

package truth

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// docs is the page with the table, and the lines around it.
const (
	docs  = "../../../docs/kfake.md"
	begin = "<!-- answers: written by internal/conformance/truth -->"
	end   = "<!-- end of the answers -->"
)

// answers are what one question was answered.
type answers struct{ kafka, fake, corrected []string }

// Both brokers are asked everything. What they answer alike and what not stands in
// docs/kfake.md; with TROUPE_WRITE=1 the test writes the table instead of comparing it.
func TestTheBrokerInMemoryAnswersAsTheTableSays(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]*answers{}
	note := func(key string, f func(*answers)) {
		mu.Lock()
		defer mu.Unlock()
		if got[key] == nil {
			got[key] = &answers{}
		}
		f(got[key])
	}
	t.Run("ask", func(t *testing.T) {
		for _, q := range questions() {
			for _, p := range []protocol{classic, consumer} {
				if q.only != "" && q.only != p {
					continue
				}
				key := q.about + string(p)
				t.Run(string(p)+" kafka "+q.about, func(t *testing.T) {
					t.Parallel()
					s := kafkaSide(t)
					q.ask(s, p)
					note(key, func(a *answers) { a.kafka = s.said })
				})
				t.Run(string(p)+" kfake "+q.about, func(t *testing.T) {
					t.Parallel()
					s := fakeSide(t, false)
					q.ask(s, p)
					note(key, func(a *answers) { a.fake = s.said })
				})
				t.Run(string(p)+" corrected "+q.about, func(t *testing.T) {
					t.Parallel()
					s := fakeSide(t, true)
					q.ask(s, p)
					note(key, func(a *answers) { a.corrected = s.said })
				})
			}
		}
	})
	if t.Failed() {
		return
	}
	table := render(got)
	page, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	i, j := bytes.Index(page, []byte(begin)), bytes.Index(page, []byte(end))
	if i < 0 || j < i {
		t.Fatalf("%s has no place for the answers", docs)
	}
	i += len(begin)
	if os.Getenv("TROUPE_WRITE") != "" {
		page = append(append(append([]byte{}, page[:i]...), "\n"+table...), page[j:]...)
		if err := os.WriteFile(docs, page, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := string(page[i+1 : j]); want != table {
		t.Errorf("the brokers do not answer as %s says; compare, and run the test with TROUPE_WRITE=1.%s", docs, changed(want, table))
	}
}

// changed are the rows of either table that the other has not.
func changed(page, now string) string {
	var out strings.Builder
	for _, t := range []struct{ name, has, other string }{{"the page", page, now}, {"now", now, page}} {
		for row := range strings.Lines(t.has) {
			if !strings.Contains(t.other, row) {
				fmt.Fprintf(&out, "\n%s: %s", t.name, row)
			}
		}
	}
	return out.String()
}

// render makes the table.
func render(got map[string]*answers) string {
	var out strings.Builder
	out.WriteString("| question | protocol | Apache Kafka | kfake | corrected |\n|---|---|---|---|---|\n")
	for _, q := range questions() {
		for _, p := range []protocol{classic, consumer} {
			if q.only != "" && q.only != p {
				continue
			}
			a := got[q.about+string(p)]
			fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", q.about, p, strings.Join(a.kafka, "; "), differing(a.kafka, a.fake), differing(a.kafka, a.corrected))
		}
	}
	return out.String()
}

// differing are the answers of kfake that are not Kafka's.
func differing(kafka, fake []string) string {
	if slices.Equal(kafka, fake) {
		return "the same"
	}
	if len(kafka) != len(fake) {
		return "**differs**: " + strings.Join(fake, "; ")
	}
	var out []string
	for i := range fake {
		if fake[i] != kafka[i] {
			out = append(out, fake[i])
		}
	}
	return "**differs**: " + strings.Join(out, "; ")
}
