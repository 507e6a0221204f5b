package check_test

import (
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

func sum(n uint64, e ev) ev { e.Sum = n; return e }

func dest(d string, e ev) ev { e.Dest = d; return e }

func read(topic string) ev { return ev{Kind: history.TopicRead, Topic: topic} }

func forwarded(offset int64) ev { return dest("dlq", of(history.Forwarded, offset)) }

func copied(offset int64) ev {
	return ev{Kind: history.DeadLetterObserved, Dest: "dlq", Offset: offset}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	gone := span(history.Removed, 0, 1)
	batch := func(n int) ev { e := epoch(1, span(history.Fetched, 0, 2)); e.Count = n; return e }
	judge(t, check.DeadLetters, []judged{
		{"nothing", nil, 0, nil},
		{"copied", run(acked(0), forwarded(0), sum(7, found(0)), sum(7, copied(0)), read("t"), read("dlq")), 2, nil},
		{"copied twice", run(acked(0), forwarded(0), sum(7, found(0)), sum(7, copied(0)), sum(7, copied(0)), read("t"), read("dlq")), 3, nil},
		{"nobody read the topic", run(acked(0), forwarded(0), read("t")), 1, nil},
		{"the test removed it", run(acked(0), forwarded(0), span(history.Removed, 0, 1), read("dlq")), 1, nil},
		{"the runtime died before it said so", run(acked(0), sum(7, found(0)), sum(7, copied(0)), read("t"), read("dlq")), 1, nil},
		{"no sum, no comparison", run(acked(0), found(0), sum(7, copied(0)), read("t")), 0, nil},
		{"committed after it", run(acked(0), forwarded(0), sent(1), ok(1)), 1, nil},
		{"committed before it and refused", run(acked(0), sent(1), refused(1), forwarded(0)), 1, nil},
		{"committed up to it", run(acked(0), sent(0), ok(0), forwarded(0)), 1, nil},
		{"handled too", run(acked(0), enter(0), leave(0), sent(1), ok(1), forwarded(0)), 1, nil},
		{"forwarded again by the next owner", run(acked(0), forwarded(0), sent(1), ok(1), inB(forwarded(0))), 2, nil},
		{"the next owner fetched the log without it", run(acked(0), acked(1), assigned(1), gone, inB(assigned(1)), inB(batch(1)), inB(epoch(1, sent(2))), epoch(1, forwarded(0))), 1, nil},
		{"its record is gone since", run(span(history.LogObserved, 5, 9), sum(7, copied(0)), read("t"), read("dlq")), 0, nil},

		{"no copy", run(acked(0), forwarded(0), read("t"), read("dlq")), 1, []string{"t/0 offset 0: its dead letter was acknowledged, and dlq holds no copy"}},
		{"a copy elsewhere", run(acked(0), forwarded(0), dest("other", copied(0)), read("dlq")), 1, []string{"dlq holds no copy"}},
		{"of another record", run(acked(0), acked(1), forwarded(0), copied(1), read("dlq")), 1, []string{"t/0 offset 0"}},
		{"changed", run(acked(0), forwarded(0), sum(7, found(0)), sum(8, copied(0)), read("t"), read("dlq")), 2, []string{"the copy in dlq differs"}},
		{"of no record", run(copied(4), read("t")), 1, []string{"t/0 offset 4: dlq holds a copy of it, and there is no such record"}},
		{"committed before the acknowledgment", run(acked(0), sent(1), forwarded(0), ok(1)), 1, []string{"t/0 offset 0: a commit passed it before"}},
		{"removed, and its owner had it", run(acked(0), acked(1), assigned(1), batch(2), gone, epoch(1, sent(2)), epoch(1, forwarded(0))), 1, []string{"a commit passed it before"}},
		{"removed, and its owner had begun it", run(acked(0), acked(1), assigned(1), batch(1), gone, enter(0), epoch(1, sent(2)), epoch(1, forwarded(0))), 1, []string{"a commit passed it before"}},
		{"nobody knows what the owner fetched", run(acked(0), assigned(1), gone, epoch(1, sent(2)), epoch(1, forwarded(0))), 1, []string{"a commit passed it before"}},
		{"another one was removed", run(acked(0), acked(1), span(history.Removed, 1, 2), assigned(1), batch(1), epoch(1, sent(2)), forwarded(0)), 1, []string{"a commit passed it before"}},
		{"committed before it, unanswered", run(acked(0), sent(3), forwarded(0)), 1, []string{"a commit passed it before"}},
	})
}

func destAt(partition int32, e ev) ev { e.DestAt = partition; return e }

func hops(n int, e ev) ev { e.Hops = n; return e }

func TestDeadLettersKeepTheirOrderAndCount(t *testing.T) {
	t.Parallel()
	k := func(offset int64) ev { return key("k", copied(offset)) }
	judge(t, check.DeadLetters, []judged{
		{"in order", run(k(0), k(3), k(4)), 2, nil},
		{"a copy again", run(k(0), k(3), k(0), k(4)), 2, nil},
		{"of two keys", run(k(3), key("l", copied(0))), 0, nil},
		{"of two partitions", run(k(3), other(k(0))), 0, nil},
		{"in two topics", run(k(3), dest("other", k(0))), 0, nil},
		{"without a key", run(copied(3), copied(0)), 0, nil},
		{"completed by another member", run(inB(enter(0)), inB(leave(0)), k(3), k(0)), 0, nil},
		{"counted", run(hops(0, found(0)), hops(1, copied(0)), hops(4, found(1)), hops(5, copied(1))), 2, nil},
		{"of a record that nobody read", run(hops(7, copied(0))), 0, nil},

		{"out of order", run(k(3), k(0)), 1, []string{"t/0 offsets 0 and 3 have one key, and dlq has the copy of the later one first"}},
		{"in another partition", run(k(0), destAt(1, k(3))), 1, []string{"copies are in partitions 0 and 1 of dlq"}},
		{"not counted", run(hops(1, found(0)), hops(1, copied(0))), 1, []string{"counts 1 dead letters, and the record 1"}},
		{"too often", run(hops(5, found(0)), hops(6, copied(0))), 1, []string{"is the dead letter 6 of its record"}},
	})
}

func TestPhantoms(t *testing.T) {
	t.Parallel()
	judge(t, check.Phantoms, []judged{
		{"nothing", nil, 0, nil},
		{"there", run(sum(7, enter(0)), sum(7, found(0)), read("t")), 1, nil},
		{"acknowledged, and gone since", run(acked(0), enter(0), read("t")), 1, nil},
		{"the topic was not read", run(enter(0), found(1), read("u")), 0, nil},
		{"it may have been there", run(enter(0), enter(6), span(history.LogObserved, 2, 9), span(history.Removed, 6, 7), read("t")), 0, nil},
		{"no sums", run(enter(0), sum(7, found(0)), read("t")), 1, nil},

		{"an aborted one", run(enter(0), enter(1), found(0), read("t")), 2, []string{"t/0 offset 1 was delivered to a, and there is no such record"}},
		{"of an empty topic", run(enter(0), read("t")), 1, []string{"offset 0"}},
		{"of another partition", run(enter(0), other(found(0)), read("t")), 1, []string{"t/0 offset 0"}},
		{"another content", run(sum(7, enter(0)), sum(8, found(0)), read("t")), 1, []string{"with another content"}},
	})
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	canary := ev{Kind: history.Canary, Text: "hunter2"}
	said := func(text string) ev { return ev{Kind: history.Logged, Incarnation: "a", Text: text} }
	judge(t, check.Secrets, []judged{
		{"nothing", nil, 0, nil},
		{"no canary", run(said("hunter2")), 0, nil},
		{"an empty one", run(ev{Kind: history.Canary}, said("hunter2")), 0, nil},
		{"silent", run(canary, said("partition assigned"), said("hunter3")), 2, nil},
		{"elsewhere", run(canary, ev{Kind: history.Warned, Text: "hunter2"}), 0, nil},

		{"within a line", run(canary, said(`{"error":"hunter2!"}`)), 1, []string{`a shows "hunter2"`}},
		{"told before the canary was named", run(said("hunter2"), canary), 1, []string{"hunter2"}},
		{"each", run(canary, canary, ev{Kind: history.Canary, Text: "payload"}, said("payload of hunter2")), 1, []string{"hunter2", "payload"}},
	})
}

func sampled(s history.Sample) ev { return ev{Kind: history.Sampled, Incarnation: "a", Sample: &s} }

func TestMemory(t *testing.T) {
	t.Parallel()
	batch := func(n int) ev { e := epoch(1, span(history.Fetched, 0, 9)); e.Count = n; return e }
	judge(t, check.Memory, []judged{
		{"nothing", nil, 0, nil},
		{"no limits", run(sampled(history.Sample{Buffered: 9}), ev{Kind: history.Sampled}), 0, nil},
		{"at the limits", run(sampled(history.Sample{Buffered: 9, MaxBuffered: 9, Bytes: 8, MaxBytes: 8, Ahead: 7, MaxAhead: 7})), 1, nil},
		{"two batches more", run(batch(3), batch(1), sampled(history.Sample{Buffered: 10, MaxBuffered: 5, Bytes: 9, MaxBytes: 8, BatchBytes: 1, Ahead: 10, MaxAhead: 5})), 1, nil},

		{"records", run(sampled(history.Sample{Buffered: 6, MaxBuffered: 5})), 1, []string{"a: t/0 holds 6 records, at most 5"}},
		{"three batches", run(batch(2), sampled(history.Sample{Buffered: 9, MaxBuffered: 5})), 1, []string{"9 records"}},
		{"those of another assignment", run(batch(9), begins(2, 0), sampled(history.Sample{Buffered: 9, MaxBuffered: 5})), 1, []string{"9 records"}},
		{"those of another partition", run(other(batch(9)), sampled(history.Sample{Buffered: 9, MaxBuffered: 5})), 1, []string{"9 records"}},
		{"bytes", run(batch(9), sampled(history.Sample{Bytes: 6, MaxBytes: 4, BatchBytes: 1})), 1, []string{"6 bytes, at most 4"}},
		{"ahead", run(sampled(history.Sample{Ahead: 6, MaxAhead: 5})), 1, []string{"6 records past its line"}},
	})
}
