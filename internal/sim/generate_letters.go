package sim

import "github.com/troupe-go/troupe/runtime"

// letters say what dead letters look like, how large they may be, and who creates their
// topics; and some plans consume those of the first topic, with dead letters in turn.
func (g *generator) letters() {
	for i := range g.plan.Topics {
		if t := &g.plan.Topics[i]; t.DeadLetters {
			g.letter(t)
		}
	}
	if first := &g.plan.Topics[0]; first.DeadLetters && g.chance(40) {
		first.Create = false // its letters are an input, which brokers have before members start
		first.Calls.Poison += 15
		first.Calls.Discard += 15
		g.plan.Topics = append(g.plan.Topics, g.second(first))
		g.refusal(&g.plan.Topics[len(g.plan.Topics)-1])
	}
}

// refusal is a fault of the dead letter topic of t, for so long that letters wait behind
// letters.
func (g *generator) refusal(t *Topic) {
	g.plan.Faults = append(g.plan.Faults, Fault{
		Kind: FaultAnswer, Request: "Produce", Topic: t.deadLetters(), Error: "TOPIC_AUTHORIZATION_FAILED",
		Count: 20 + g.IntN(60), At: g.between(sec, g.over), For: g.between(10*sec, 30*sec),
	})
}

// letterBytesMin is what the smallest copy of a record of the simulator fits in, in each
// form.
const letterBytesMin = 330

func (g *generator) letter(t *Topic) {
	t.Form = string(pick(g, runtime.HeaderForm, runtime.SpringForm, runtime.ConnectForm, runtime.ProtobufForm))
	switch n := g.IntN(100); {
	case n < 30:
		t.Create = true
	case n < 65:
		t.LetterBytes = letterBytesMin + g.IntN(250)
	}
}

// second is the topic of the dead letters of first, of which many fail again: once more,
// or for ever where they come back, until their lane stops.
func (g *generator) second(first *Topic) Topic {
	t := Topic{
		Name: deadLetters(first.Name), Partitions: int32(1 + g.IntN(4)), Lanes: 1 + g.IntN(8), Delay: g.between(sec, 20*sec), //nolint:gosec // a few
		DeadLetters: true, Attempts: 2, OnGap: "continue", Calls: Calls{Quick: 300, Slow: 60, Poison: 200, Discard: 200, Panic: 20},
	}
	g.letter(&t)
	if t.Loop = g.chance(30); t.Loop {
		t.Create, t.LetterBytes = false, 0
		first.LetterBytes = 0 // which would be the topic's own
	}
	if first.Form == string(runtime.ProtobufForm) {
		t.LetterBytes = 0 // of a message nothing can be left out
	}
	return t
}
