//go:build synctests

package scenarios

import (
	"encoding/json"
	"maps"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/scenarios/list"
)

// counters are what the injectors of a run did, by kind. What is counted was done: an
// injector counts where it bites, never where it is set up.
type counters struct {
	mu     sync.Mutex
	hits   map[string]int64
	faults map[string][]*kfake.FaultHandle
}

func newCounters() *counters {
	return &counters{hits: map[string]int64{}, faults: map[string][]*kfake.FaultHandle{}}
}

// hit counts one bite. It is called by behaviors and by the broker's controls, too.
func (c *counters) hit(kind string) { c.hitN(kind, 1) }

func (c *counters) hitN(kind string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hits[kind] += n
}

// total are the bites by kind, those of the broker's own faults included.
func (c *counters) total() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := maps.Clone(c.hits)
	for kind, handles := range c.faults {
		for _, h := range handles {
			all[kind] += int64(h.Hits())
		}
	}
	maps.DeleteFunc(all, func(_ string, n int64) bool { return n == 0 })
	return all
}

func (w *world) hit(kind string) { w.counters.hit(kind) }

// inject adds a fault to the broker, counted by its own hits.
func (w *world) inject(f kfake.Fault) *kfake.FaultHandle {
	h := w.c.Broker().Fault(f)
	kind := "observed"
	if f.Err != nil {
		kind = f.Err.Message
	}
	w.counters.mu.Lock()
	defer w.counters.mu.Unlock()
	w.counters.faults[kind] = append(w.counters.faults[kind], h)
	return h
}

var numbered = regexp.MustCompile(`^TestScenario(\d{3})`)

// number is that of the scenario that a test is, or 0.
func number(t *testing.T) int {
	t.Helper()
	m := numbered.FindStringSubmatch(t.Name())
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// tell says in a line of its own what hit and what was compared, for `make scenarios`. A
// scenario where either is nothing has shown nothing.
func tell(t *testing.T, checks []string, faults, compared map[string]int64) {
	t.Helper()
	n := number(t)
	if n == 0 {
		return
	}
	if sum(faults) == 0 {
		t.Error("no fault hit: nothing was shown")
	}
	if sum(compared) == 0 {
		t.Error("nothing was compared: nothing was shown")
	}
	known, ok := list.Find(n)
	if !ok {
		t.Fatalf("there is no scenario %d", n)
	}
	line, err := json.Marshal(list.Result{Number: n, Title: known.Title, Checks: checks, Faults: faults, Compared: compared})
	if err != nil {
		t.Fatal(err)
	}
	t.Attr(list.Attribute, string(line))
}

func sum(of map[string]int64) int64 {
	var all int64
	for _, n := range of {
		all += n
	}
	return all
}

// compared are what the checks compared, those that did.
func compared(r check.Report) map[string]int64 {
	all := map[string]int64{}
	for _, v := range r.Verdicts {
		if v.Compared > 0 {
			all[v.Check] = int64(v.Compared)
		}
	}
	return all
}
