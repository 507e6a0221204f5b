package history

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Save writes events, one JSON object a line.
func Save(w io.Writer, events []Event) error {
	buf := bufio.NewWriter(w)
	for i := range events {
		if err := writeLine(buf, &events[i]); err != nil {
			return fmt.Errorf("save history: %w", err)
		}
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("save history: %w", err)
	}
	return nil
}

// Load reads what Save or a stream wrote. A last line without its end is left out: the
// process that wrote it was killed.
func Load(r io.Reader) ([]Event, error) {
	var events []Event
	buf := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := buf.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, fmt.Errorf("load history: %w", err)
		}
		var ev Event
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&ev); err != nil {
			return nil, fmt.Errorf("load history: line %d: %w", n, err)
		}
		events = append(events, ev)
	}
}

// Merge joins the histories of several processes of one machine into one, numbered
// anew. Events of one history keep their order, and otherwise go by time; where a clock
// was set back, the latest time before counts.
func Merge(histories ...[]Event) []Event {
	type origin struct {
		event   Event
		history int
		time    int64
	}
	var all []origin
	for i, events := range histories {
		latest := int64(0)
		for _, ev := range events {
			latest = max(latest, ev.Wall)
			all = append(all, origin{ev, i, latest})
		}
	}
	slices.SortStableFunc(all, func(a, b origin) int { return cmp.Compare(a.time, b.time) })
	renumbered := make([]map[uint64]uint64, len(histories))
	for i := range renumbered {
		renumbered[i] = map[uint64]uint64{}
	}
	merged := make([]Event, len(all))
	for i, o := range all {
		ev := o.event
		renumbered[o.history][ev.Seq] = uint64(i) + 1
		ev.Seq = uint64(i) + 1
		ev.Ref = renumbered[o.history][ev.Ref]
		merged[i] = ev
	}
	return merged
}
