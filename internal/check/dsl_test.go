package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// The hand-made histories are lists of these. Event i has Seq i and, unless it is set, the
// wall time i microseconds. The partition is t/0 and the incarnation a unless they are set.

type ev = history.Event

const micro = 1000

func run(events ...ev) []ev {
	out := make([]ev, len(events))
	for i, e := range events {
		e.Seq = uint64(i) + 1
		if e.Wall == 0 {
			e.Wall = int64(i+1) * micro
		}
		if e.Topic == "" {
			e.Topic = "t"
		}
		out[i] = e
	}
	pair(out)
	return out
}

// pair fills in what a Leave answers: the last Enter of its call.
func pair(events []ev) {
	for i := range events {
		e := &events[i]
		if e.Kind != history.Leave || e.Ref != 0 {
			continue
		}
		for j := i - 1; j >= 0; j-- {
			o := events[j]
			if o.Kind == history.Enter && o.TP() == e.TP() && o.Incarnation == e.Incarnation && o.Lane == e.Lane && o.Offset == e.Offset && o.Attempt == e.Attempt {
				e.Ref = o.Seq
				break
			}
		}
	}
}

func of(kind history.Kind, offset int64) ev { return ev{Kind: kind, Incarnation: "a", Offset: offset} }

func acked(offset int64) ev { return ev{Kind: history.Acked, Offset: offset} }

func found(offset int64) ev { return ev{Kind: history.RecordObserved, Offset: offset} }

func enter(offset int64) ev { return key("k", of(history.Enter, offset)) }

func leave(offset int64) ev { return result(history.ResultOK, of(history.Leave, offset)) }

func span(kind history.Kind, from, to int64) ev {
	return ev{Kind: kind, Incarnation: "a", Offset: from, To: to}
}

func sent(next int64) ev { return of(history.CommitSent, next) }

func ok(next int64) ev { return result(history.ResultOK, of(history.CommitAnswered, next)) }

func refused(next int64) ev { return result(history.ResultRefused, of(history.CommitAnswered, next)) }

func unknown(next int64) ev { return result(history.ResultUnknown, of(history.CommitAnswered, next)) }

func committed(next int64) ev { return ev{Kind: history.CommittedObserved, Offset: next} }

func wire(member, owner string, next int64) ev {
	return ev{Kind: history.CommitOnWire, Offset: next, Member: member, Owner: owner, Result: history.ResultOK}
}

func result(r string, e ev) ev { e.Result = r; return e }

func key(k string, e ev) ev { e.Key = []byte(k); return e }

func noKey(e ev) ev { e.Key = nil; return e }

func lane(n int32, e ev) ev { e.Lane = n; return e }

func epoch(n uint64, e ev) ev { e.Epoch = n; return e }

func again(e ev) ev { e.Attempt = 2; return e }

func inB(e ev) ev { e.Incarnation = "b"; return e }

func other(e ev) ev { e.Partition = 1; return e }

func at(wall int64, e ev) ev { e.Wall = wall; return e }

func due(wall int64, e ev) ev { e.Due = wall; return e }

func assigned(n uint64) ev { return epoch(n, of(history.Assigned, 0)) }

func revoked() ev { return epoch(1, of(history.RevokeEnded, 0)) }

func stopped() ev { return epoch(1, of(history.Stopped, 0)) }

func member(instance string) ev {
	return ev{Kind: history.MemberIs, Incarnation: "a", Text: instance}
}

func lost() ev { return epoch(1, of(history.Lost, 0)) }

func freezes(r string) ev {
	return ev{Kind: history.Fault, Incarnation: "a", Text: history.Freeze, Result: r}
}

func started(n uint64, offset int64) ev { return epoch(n, of(history.Started, offset)) }

type judged struct {
	name     string
	events   []ev
	compared int
	want     []string // what each violation contains; none: green
}

func judge(t *testing.T, f func([]history.Event) check.Verdict, cases []judged) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(c.events)
			got := f(c.events)
			if got.Compared != c.compared {
				t.Errorf("compared %d, want %d", got.Compared, c.compared)
			}
			ok := got.Found == len(c.want) && len(got.Violations) == len(c.want)
			for i := range min(len(c.want), len(got.Violations)) {
				ok = ok && strings.Contains(got.Violations[i].String(), c.want[i])
			}
			if !ok {
				t.Errorf("got %v\nwant %q", got, c.want)
			}
			if again := f(c.events); again.String() != got.String() {
				t.Errorf("judged again: %v", again)
			}
			if !slices.EqualFunc(before, c.events, func(a, b ev) bool { return a.Seq == b.Seq && a.Offset == b.Offset && a.Kind == b.Kind }) {
				t.Error("the history was changed")
			}
		})
	}
}
