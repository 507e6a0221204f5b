package check_test

import (
	"slices"
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

func TestTravels(t *testing.T) {
	t.Parallel()
	// a finishes 1 and 2, is held at 0, and lets go; b begins at 0.
	handover := func(last ev, more ...ev) []ev {
		return slices.Concat(one(begins(1, 0)), calls(1, 1, 2), more, resent(1, 0), one(last))
	}
	clean := drained(revoked())
	next := func(offsets ...int64) []ev { return byB(slices.Concat(one(begins(2, 0)), calls(2, offsets...))...) }
	again := []string{"offset 2 was finished by a, epoch 1, above the line that it left, and ran again at b, epoch 2"}
	judge(t, check.Travels, []judged{
		{"nothing", nil, 0, nil},
		{"none runs again", join(acks(3), handover(clean), next(0)), 2, nil},
		{"one runs again", join(acks(3), handover(clean), next(0, 2)), 2, again},
		{"after a stop", join(acks(3), handover(drained(stopped())), next(0, 2)), 2, again},
		{"a dead letter that was acknowledged", join(acks(3), handover(clean, epoch(1, of(history.Forwarded, 0))), next(2, 0)), 3, []string{"offset 2", "offset 0"}},
		{
			"it is delivered, and not finished",
			join(acks(3), handover(clean), byB(begins(2, 0), started(2, 2), enter(2))), 2, again,
		},
		{"what lies below the next line is another check's", join(acks(3), handover(clean), byB(slices.Concat(one(begins(2, 2)), calls(2, 1))...)), 1, nil},
		{"a handover that was cut", join(acks(3), handover(cut(revoked())), next(0, 2)), 0, nil},
		{"a loss", join(acks(3), handover(lost()), next(0, 2)), 0, nil},
		{"two owners at a time", join(acks(3), one(begins(1, 0)), calls(1, 1, 2), next(2), one(clean)), 0, nil},
		{
			"no room for 2",
			join(acks(3), handover(clean, epoch(1, span(history.MetadataCut, 0, 2))), next(0, 2)), 1, nil,
		},
		{
			"no room for attempts",
			join(acks(3), handover(clean, epoch(1, span(history.MetadataCut, 0, -1))), next(0, 2)), 2, again,
		},
		{
			"less room first, then more",
			join(acks(3), handover(clean, epoch(1, span(history.MetadataCut, 0, 1)), epoch(1, span(history.MetadataCut, 0, 2))), next(0, 2)), 0, nil,
		},
		{
			"the next owner ignores it",
			join(acks(3), handover(clean), byB(begins(2, 0), epoch(2, of(history.MetadataIgnored, 0))), next(0, 2)), 0, nil,
		},
		{"an admin in between", join(acks(3), handover(clean), one(ev{Kind: history.Reset, Offset: 0}), next(0, 2)), 0, nil},
		{
			"the supervisor fails, and forgets",
			join(acks(3), handover(clean, result(history.ResultSupervisor, epoch(1, of(history.Escalated, 0)))), next(0, 2)), 0, nil,
		},
		{
			"an earlier commit is stored late",
			join(acks(3), one(begins(1, 0), epoch(1, sent(0)), epoch(1, unknown(0))), calls(1, 1, 2), resent(1, 0), one(clean), next(0, 2)), 0, nil,
		},
		{
			"it counted for nothing",
			join(acks(3), one(begins(1, 0), started(1, 2), enter(2), epoch(1, of(history.Quarantined, 2)), leave(2)), resent(1, 0), one(clean), next(0, 2)), 0, nil,
		},
		{
			"the next owner but one runs one again",
			join(acks(3), handover(clean), byB(begins(2, 0), drained(epoch(2, of(history.RevokeEnded, 0)))), one(begins(3, 0)), calls(3, 2)), 2,
			[]string{"offset 2 was finished by a, epoch 1, above the line that it left, and ran again at a, epoch 3"},
		},
		{
			"the next owner had no room for it",
			join(acks(3), handover(clean), byB(begins(2, 0), epoch(2, span(history.MetadataCut, 0, 2)), drained(epoch(2, of(history.RevokeEnded, 0)))), one(begins(3, 0)), calls(3, 2)), 2, nil,
		},
		{
			"the next owner is lost",
			join(acks(3), handover(clean), byB(begins(2, 0), epoch(2, of(history.Lost, 0))), one(begins(3, 0)), calls(3, 2)), 2, nil,
		},
		{
			"the next owner forgets",
			join(acks(3), handover(clean), byB(
				begins(2, 0), result(history.ResultSupervisor, epoch(2, of(history.Escalated, 0))), drained(epoch(2, of(history.RevokeEnded, 0))),
			), one(begins(3, 0)), calls(3, 2)), 2, nil,
		},
	})
}
