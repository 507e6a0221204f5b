package demo

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func TestPlanHasAllThatTheDemoShows(t *testing.T) {
	t.Parallel()
	n := newNames("")
	all := plan(n, 1, 8000, 10*time.Second)
	if again := plan(n, 1, 8000, 10*time.Second); !reflect.DeepEqual(all, again) {
		t.Error("the same seed drew another plan")
	}
	if other := plan(n, 2, 8000, 10*time.Second); reflect.DeepEqual(all, other) {
		t.Error("another seed drew the same plan")
	}
	topics, ids, kinds := map[string]int{}, map[string]bool{}, map[string]int{}
	for i, e := range all {
		topics[e.topic]++
		ids[e.id] = true
		if i > 0 && e.at < all[i-1].at || e.at >= 10*time.Second {
			t.Fatalf("%s at %v", e.id, e.at)
		}
		if (e.delay > 0) != (e.topic == n.reminders) {
			t.Errorf("%s is delayed by %v", e.id, e.delay)
		}
		if e.topic == n.orders {
			kinds[kind(e)]++
		}
	}
	if topics[n.orders] != 8000 || topics[n.payments] != 2000 || topics[n.reminders] != 400 || len(ids) != len(all) {
		t.Errorf("%v, %d ids", topics, len(ids))
	}
	for _, want := range []struct {
		kind        string
		least, most int
	}{
		{"hot", 300, 700},
		{"slow", 100, 220},
		{"fails", 100, 220},
		{"panics", 8, 8},
		{"always fails", 1, 1},
		{"always panics", 1, 1},
		{"no order", 1, 1},
	} {
		if got := kinds[want.kind]; got < want.least || got > want.most {
			t.Errorf("%s: %d, want %d to %d", want.kind, got, want.least, want.most)
		}
	}
}

func kind(e entry) string {
	var o task
	if json.Unmarshal(e.value, &o) != nil {
		return "no order"
	}
	switch {
	case o.Fails == always:
		return "always fails"
	case o.Panics == always:
		return "always panics"
	case o.Fails > 0:
		return "fails"
	case o.Panics > 0:
		return "panics"
	case o.WorkMicros >= 80_000:
		return "slow"
	case string(e.key[:3]) == "hot":
		return "hot"
	}
	return "plain"
}

func TestSmallPlans(t *testing.T) {
	t.Parallel()
	for _, orders := range []int{0, 1, 7, 99, 100, 101} {
		if got, want := len(plan(newNames("x."), 1, orders, time.Second)), orders+orders/4+orders/20; got != want {
			t.Errorf("%d orders: %d records, want %d", orders, got, want)
		}
	}
}
