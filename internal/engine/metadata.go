package engine

import (
	"errors"

	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/metadata"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// besides is what goes with a commit line.
func (p *partition) besides(fx *core.Commit) string {
	text, cut := p.encoder.Encode(&metadata.State{
		Line: fx.Next, TopicID: p.a.topicID, LeaderEpoch: fx.LeaderEpoch, Done: fx.Done, Attempts: fx.Attempts,
	}, int(p.e.room.Load()))
	if !cut.Any() {
		p.short = false
		return text
	}
	ev := observe.MetadataCut{Next: fx.Next, From: cut.From, Attempts: cut.Attempts}
	p.cutShort(ev)
	return text
}

// cutShort tells of a commit that did not say all, unless the one before did not either and
// left out no less of what is finished.
func (p *partition) cutShort(ev observe.MetadataCut) {
	if p.short && (ev.From < 0 || p.lacks >= 0 && p.lacks <= ev.From) {
		return
	}
	p.short, p.lacks = true, ev.From
	ev.TP, ev.Epoch = p.a.tp, p.a.epoch
	p.emit(ev)
}

// errGivenUp stands for the failure of a record that an owner before had given up, which
// does not travel with its attempts.
var errGivenUp = errors.New("given up before the partition moved, and not acknowledged as a dead letter")

// takeOver is what a partition begins with: where the group is, and what the owner before
// says of the records from there on. What cannot be read, or is of something else, is
// ignored: those records are delivered as if nobody had begun them.
func (e *Engine) takeOver(as *Assignment) core.Handoff {
	h := core.Handoff{Next: as.Start, LeaderEpoch: -1, InDoubt: as.InDoubt}
	if as.Metadata == "" {
		return h
	}
	s, err := metadata.Decode(as.Metadata)
	if err == nil {
		err = s.Fits(as.Committed, as.TopicID)
	}
	if err != nil {
		e.opts.Emit(observe.MetadataIgnored{TP: as.TP, Epoch: as.Epoch, Committed: as.Committed, Err: err})
		return h
	}
	h.Done, h.Attempts, h.LeaderEpoch = s.Done, s.Attempts, s.LeaderEpoch
	if e.topics[as.TP.Topic].DeadLetter == "" {
		return h
	}
	for _, a := range s.Attempts {
		if a.GivenUp {
			f := supervision.Failure{Err: errGivenUp, Attempt: a.Count}
			h.DeadLetters = append(h.DeadLetters, core.DeadLetter{Offset: a.Offset, Failure: f})
		}
	}
	return h
}

// takeOverReached is takeOver from the highest line that the broker has or may have.
func (e *Engine) takeOverReached(a *assignment) core.Handoff {
	line := a.reached()
	h := e.takeOver(&Assignment{
		TP: a.tp, Epoch: a.epoch, Start: line.Next, Committed: line.Next, Metadata: line.Metadata, TopicID: a.topicID, InDoubt: true,
	})
	h.Uncommitted = true
	return h
}
