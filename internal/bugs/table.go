package main

import (
	"slices"

	"github.com/troupe-go/troupe/internal/overlay"
)

const (
	engine = "internal/engine"
	kafka  = "internal/kafka"
	core   = "internal/core"
)

// table has the bugs in the order of docs/guarantees.md.
func table() []bug { return slices.Concat(others(), simulated(), later(), campaigned(), reviewed()) }

// others are those that tests and people have found.
func others() []bug {
	return []bug{
		{
			"a stop ended before the Stop hooks of its lanes had", "97c2132", engine, "TestDrainLetsStopHooksEnd",
			[]overlay.Edit{{
				File: engine + "/membership.go",
				Old:  "		e.stopped(a, until) // the process may end next, and with it what a Stop hook was at\n",
				Now:  "		_ = a\n",
			}},
		},
		{
			"a pending join kept the lease open beyond its answer", "9226687", engine, "TestAPendingJoinDoesNotOutliveItsAnswer",
			[]overlay.Edit{{
				File: engine + "/fence.go",
				Old:  "	l.sent, l.candidate = sent, sent.Add(ttl)\n",
				Now:  "	l.sent = sent\n	if until := sent.Add(ttl); until.After(l.candidate) {\n		l.candidate = until\n	}\n",
			}},
		},
		{
			"a drain that cut a call off was called clean once the call returned", "916a52a", engine, "TestADrainThatCutsACallIsNotClean",
			[]overlay.Edit{{File: engine + "/finish.go", Old: "			cut = true\n", Now: "			p.a.clean.Store(false)\n"}},
		},
		{
			"records that came right behind their assignment were lost", "4566253", engine, "TestRecordsThatComeRightBehindTheAssignment",
			[]overlay.Edit{{File: engine + "/membership.go", Old: "		if !e.await(a.spawned, until) && !e.fell.happened() {\n", Now: "		if false && !a.spawned.wait(until) {\n"}},
		},
		{
			"a revoke left what was finished above a gap to be done again", "1d8fc8a", engine, "TestARevokeFillsTheGapsBelowWhatIsFinished",
			[]overlay.Edit{{File: engine + "/finish.go", Old: "	p.ev.drain.Now = now || p.rebuild != nil\n", Now: "	p.ev.drain.Now = true\n"}},
		},
		{
			"a stop left the group while a revoke had not committed yet", "a4e6eda", engine, "TestAShutdownWaitsForARevokeUnderWay",
			[]overlay.Edit{{File: engine + "/membership.go", Old: "	leaving := e.revokes() // they drain by themselves\n", Now: "	leaving := e.revokes()[:0]\n"}},
		},
		{
			"a rebuild fetched from the old position first, which cost up to 250 ms of backoff", "199b888", kafka, "TestNothingIsFetchedBeforeASeek",
			[]overlay.Edit{{File: kafka + "/member.go", Old: " || p.trouble != nil || p.seeks > 0 }", Now: " || p.trouble != nil }"}},
		},
		{
			"a commit refused before the member's own join was known expelled it", "6182d20", kafka, "TestIllegalGenerationBeforeTheJoinIsKnown",
			[]overlay.Edit{{File: kafka + "/commit.go", Old: "		moving = m.joins(ctx, generation)\n", Now: "		_ = m.joins\n"}},
		},
		{
			"what a stop drained could not be lost any more", "38dda0b", engine, "TestALossWhileAStopDrainsEndsIt",
			[]overlay.Edit{{File: engine + "/membership.go", Old: "		e.stopping[tp] = a\n", Now: "		defer func() { delete(e.stopping, tp) }()\n		e.stopping[tp] = a\n"}},
		},
		{
			"a member that was thrown out went on with its revokes, and committed", "6db9893", engine, "TestARevokeEndsWhenTheGroupDropsTheMember",
			[]overlay.Edit{{File: engine + "/membership.go", Old: "		if !a.done.happened() {\n", Now: "		if false && !a.done.happened() {\n"}},
		},
		{
			"a dead letter under way at a rebuild was delivered again, behind later records of its key", "d4ce5dc", engine,
			"TestADeadLetterOutlivesARebuild",
			[]overlay.Edit{{File: core + "/handoff.go", Old: "	if len(dead) == 0 ||", Now: "	if true ||"}},
		},
	}
}

// simulated are those that the simulator has found.
func simulated() []bug {
	return []bug{
		{
			"a commit that had waited for another one was sent under the generation of later", "c0fdc69", kafka,
			"TestCommitHasTheGenerationThatItWasAskedIn",
			[]overlay.Edit{{
				File: kafka + "/commit.go",
				Old:  "	req := m.commitRequest(id, generation, offsets)\n",
				Now:  "	id, generation = m.cl.GroupMetadata()\n	req := m.commitRequest(id, generation, offsets)\n",
			}},
		},
		{
			"a partition whose topic's id was not known began, and none of its commits was answered", "24bbbbe", kafka,
			"TestStartWaitsForTheIDOfItsTopic",
			[]overlay.Edit{{
				File: kafka + "/list.go",
				Old:  "			unknown[*t.Topic] = kerr.ErrorForCode(t.ErrorCode)\n",
				Now:  "			delete(unknown, *t.Topic)\n",
			}},
		},
		{
			"lanes whose lease had run out were handed their records again and again, with a processor each", "545ca63", engine,
			"TestALaneWithoutALeaseAsksForNoOtherHandOver",
			[]overlay.Edit{{
				File: engine + "/worker.go",
				Old:  "			w.e.root.Send(w.e.group, leaseOver{})\n",
				Now:  "			w.fail(ho, core.Result{Kind: core.Interrupted, Err: errNotBegun})\n",
			}},
		},
		{
			"a commit that was stored late took the committed offset back, and nothing brought it forward again", "6d612c3", engine,
			"TestALineInDoubtIsSentOnceMore",
			[]overlay.Edit{{File: core + "/commit.go", Old: "	case ev.Late:\n", Now: "	case false:\n"}},
		},
	}
}

// later are those that were found when the simulator and the crash sweep were there.
func later() []bug {
	return []bug{
		{
			what: "a commit was told of after the loss that came behind its look at the fence", commit: "3a4b6ee", pkg: engine,
			test: "TestACommitIsNotToldOfAfterTheLoss",
			undo: []overlay.Edit{{File: engine + "/fence.go", Old: "	for a.sending.Load() > 0 && ", Now: "	for false && "}},
		},
		{
			what: "a call went on outside of the quarantine when its partition's actor was behind its loss", commit: "a33363b", pkg: engine,
			test: "TestALossQuarantinesBeforeItIsTold",
			undo: []overlay.Edit{{
				File: engine + "/membership.go",
				Old:  "		e.seize(a)\n		e.opts.Emit(observe.Lost{",
				Now:  "		a.shut()\n		e.opts.Emit(observe.Lost{",
			}},
		},
		{
			what: "a claim that hung was waited for with a processor, and in a bubble for ever", commit: "e4f5a9e", pkg: engine,
			test: "TestAClaimThatHangsIsGivenUp",
			undo: []overlay.Edit{{File: engine + "/fence.go", Old: "	const spins = 1000\n", Now: "	const spins = 1 << 60\n"}},
		},
		{
			what: "what the first callback of a member asked of the client was lost", commit: "f6a1ed6", pkg: kafka,
			test: "TestACallbackFindsItsMember",
			undo: []overlay.Edit{{File: kafka + "/member.go", Old: "	m.c.cur = m\n", Now: ""}},
		},
		{
			what: "a stop behind a group supervisor that panicked waited for its actors", commit: "b06e666", pkg: engine,
			test: "TestAStopBehindAGroupSupervisorThatPanickedTakesNoTime",
			undo: []overlay.Edit{{File: engine + "/strategy.go", Old: "	s.e.fall()\n", Now: ""}},
		},
		{
			what: "a partition that waited for its rebuild was called clean whatever it left behind", commit: "a766740", pkg: engine,
			test: "TestARevokeOfAPartitionThatWaitsForItsRebuild",
			undo: []overlay.Edit{{File: engine + "/rebuild.go", Old: "	if msg.forgot || redone(&msg.handoff) {\n", Now: "	if false {\n"}},
		},
		{
			what: "a jump of the wall clock changed the budget of a Stop hook", commit: "e33923f", pkg: engine,
			test: "TestAJumpOfTheWallClockChangesNoStopBudget",
			undo: []overlay.Edit{{File: engine + "/behavior.go", Old: "time.Until(*until)", Now: "time.Until(until.Round(0))"}},
		},
		{
			what: "a call that a fence had taken before its actor was stopped was not told of", commit: "ff3d7e1", pkg: engine,
			test: "TestACallThatWasSeizedBeforeItsActorStopsIsTold",
			undo: []overlay.Edit{{File: engine + "/finish.go", Old: "	if was == taken {\n		was = running\n", Now: "	if false {\n		was = running\n"}},
		},
	}
}

// campaigned are those of the campaigns that came after that.
func campaigned() []bug {
	return []bug{
		{
			what: "force did not leave behind a call of an assignment before, which freed the lane of another one", commit: "604236d", pkg: engine,
			test: "TestRestartLaneForcedLeavesACallOfTheAssignmentBefore",
			undo: []overlay.Edit{{
				File: engine + "/effects.go",
				Old:  "	if fx.Forced { // the old call",
				Now:  "	if l.worker == nil {\n		return\n	}\n	if fx.Forced { // the old call",
			}},
		},
		{
			what: "a process that was frozen while its join was pending had a rebalance left, not a session", commit: "aa022f2", pkg: kafka,
			test: "TestAMemberThatJoinsHeartbeats",
			undo: []overlay.Edit{{File: kafka + "/lease.go", Old: "	l.set(sent, l.session())\n}\n\n// end", Now: "	l.set(sent, l.rebalance)\n}\n\n// end"}},
		},
		{
			what: "what was revoked behind a silent expulsion was drained and committed", commit: "dfa8c34", pkg: kafka,
			test: "TestARevokeBehindASilentExpulsionIsALoss",
			undo: []overlay.Edit{{File: kafka + "/callbacks.go", Old: "	if other {\n", Now: "	if false && other {\n"}},
		},
		{
			what: "a static member that joined anew was fenced by itself, and Run ended", commit: "246fd51", pkg: kafka,
			test: "TestFencedByItsOwnNextJoin",
			undo: []overlay.Edit{{File: kafka + "/commit.go", Old: "ErrFencedInstance) && !moving && id == id2 {", Now: "ErrFencedInstance) {"}},
		},
		{
			what:   "a lease that ran out before the last commit of a stop or a revoke was no loss, and the commit was tried until its time was over",
			commit: "cb94748", pkg: engine, test: "TestALeaseThatRunsOutBeforeTheLastCommitIsALoss",
			undo: []overlay.Edit{{File: engine + "/commit.go", Old: "		e.loseAll(errLease) // a stop", Now: "		// a stop"}},
		},
		{
			what:   "a partition whose actor panicked at its last commit was waited for until the time was over, and nobody was told",
			commit: "5a61910", pkg: engine, test: "TestAPartitionThatPanicsAtItsLastCommitIsOver",
			undo: []overlay.Edit{{
				File: engine + "/group.go",
				Old:  "		p.ends = true\n	}\n	if p.pid != nil {\n",
				Now:  "		defer delete(g.parts, msg.a)\n	}\n	if p.pid != nil {\n",
			}},
		},
		{
			what:   "a rebuild behind a panic took back a commit that was under way or was not answered",
			commit: "bf99593", pkg: engine, test: "TestASupervisorThatPanicsTakesNoCommitBack",
			undo: []overlay.Edit{{File: engine + "/metadata.go", Old: "line := a.reached()", Now: "line := a.acked.Load()"}},
		},
	}
}

// reviewed are those that reviews and replays of saved plans have found since.
func reviewed() []bug {
	return []bug{
		{
			what:   "a partition whose actor panicked in its drain was begun again, and the revoke lasted for all of its time",
			commit: "2b861df", pkg: engine, test: "TestAPartitionThatPanicsInItsDrainIsDrained",
			undo: []overlay.Edit{{File: engine + "/rebuild.go", Old: "	case p.drains:\n", Now: "	case false && p.drains:\n"}},
		},
		{
			what:   "a partition that was about to be rebuilt ended as if it was when a revoke came, which lasted for all of its time",
			commit: "2b861df", pkg: engine, test: "TestADrainTakesThePlaceOfARebuild",
			undo: []overlay.Edit{{File: engine + "/finish.go", Old: "		case p.drains:\n", Now: "		case false && p.drains:\n"}},
		},
		{
			what:   "a join whose answer was lost kept the lease open up to the rebalance timeout, while the group had given the partitions away",
			commit: "171a6e1", pkg: kafka, test: "TestAPendingJoinAloneKeepsNoLease",
			undo: []overlay.Edit{{
				File: kafka + "/beat.go",
				Old:  "		return // the next one may get through\n",
				Now:  "		m.lease.extend(sent)\n		return\n",
			}},
		},
		{
			what:   "a member of KIP-848 sent a heartbeat behind its farewell, and joined anew when that was refused",
			commit: "975f90a", pkg: kafka, test: "TestConsumerStaticMember",
			undo: []overlay.Edit{{
				File: kafka + "/leave.go",
				Old:  "	if m.c.opts.Protocol == Classic {\n		return m.leave(",
				Now:  "	if true {\n		return m.leave(",
			}},
		},
		{
			what:   "heartbeats that a broker other than the coordinator answered kept the lease open, while the group had given the partitions away",
			commit: "b08e80a", pkg: kafka, test: "TestOnlyTheGroupRenewsTheLease",
			undo: []overlay.Edit{{
				File: kafka + "/lease.go",
				Old:  "	case key == keyGroupHeartbeat:\n",
				Now:  "	case key == keyGroupHeartbeat, key == keyHeartbeat:\n",
			}},
		},
		{
			what:   "the poll goroutine ran ahead of a partition whose actor did not get to run, and filled its mailbox past every limit of the buffer",
			commit: "c49f465", pkg: engine, test: "TestAPollDoesNotRunAheadOfItsPartitions",
			undo: []overlay.Edit{{File: engine + "/engine.go", Old: "		before.wait()\n", Now: "		_ = before\n"}},
		},
	}
}
