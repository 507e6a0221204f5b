package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/internal/scenarios/list"
)

const (
	begin = "<!-- scenarios: written by make scenarios -->"
	end   = "<!-- end of scenarios -->"
	head  = "| # | scenario | what must hold | in bubble | on Kafka | last result | at |\n|---|---|---|---|---|---|---|\n"
)

// row is a line of the table.
type row struct {
	number                                int
	title, holds, bubble, kafka, last, at string
}

// How a result begins, by where it was had.
const (
	ofBubble = ""
	ofKafka  = "Kafka: "
)

// build makes a row for every scenario. before are the rows that were there.
func build(before map[int]row, exist map[int][]string, seen *runs, commit string) ([]row, error) {
	all, err := list.All()
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(all))
	for i, s := range all {
		rows[i] = of(s, before[s.Number], exist[s.Number], seen, commit)
	}
	return rows, nil
}

func of(s list.Scenario, was row, names []string, seen *runs, commit string) row {
	r := row{number: s.Number, title: s.Title, holds: s.Holds, bubble: "-", kafka: "-"}
	var last, at []string
	add := func(kind, result string) {
		commit := commit
		if result == "" {
			result, commit = was.result(kind)
		}
		last, at = append(last, kind+result), append(at, commit)
	}
	if len(names) > 0 {
		r.bubble = named(bubblePkg, names)
		add(ofBubble, seen.bubble(names))
	}
	if s.Kafka != "" {
		r.kafka = named(kafkaPkg, []string{s.Kafka})
		add(ofKafka, seen.ended[kafkaPkg+" "+s.Kafka])
	}
	if len(last) == 0 {
		last, at = []string{s.Waits}, []string{"-"}
		if !strings.HasPrefix(s.Waits, "see ") {
			last[0] = "waits for " + s.Waits
		}
	}
	r.last, r.at = strings.Join(last, "; "), strings.Join(at, "; ")
	return r
}

func named(dir string, names []string) string {
	return "`" + dir + "` `" + strings.Join(names, "` `") + "`"
}

// bubble is the result of a scenario's tests, empty where one did not run.
func (s *runs) bubble(names []string) string {
	result := "pass"
	var faults, compared int64
	for _, name := range names {
		at := bubblePkg + " " + name
		switch s.ended[at] {
		case "":
			return ""
		case "pass":
		default:
			result = "fail"
		}
		f, c := s.counts(at)
		faults, compared = faults+f, compared+c
	}
	return fmt.Sprintf("%s, %d faults, %d compared", result, faults, compared)
}

// result is what a row says of a kind, and at which commit that was.
func (r row) result(kind string) (last, at string) { //nolint:nonamedreturns // tells them apart
	results, commits := strings.Split(r.last, "; "), strings.Split(r.at, "; ")
	for i, one := range results {
		isKafka := strings.HasPrefix(one, ofKafka)
		if i < len(commits) && isKafka == (kind == ofKafka) && isResult(one) {
			return strings.TrimPrefix(one, kind), commits[i]
		}
	}
	return "not run", "-"
}

func isResult(said string) bool {
	return said != "" && !strings.HasPrefix(said, "waits for ") && !strings.HasPrefix(said, "see ")
}

func render(rows []row) string {
	var b strings.Builder
	b.WriteString(head)
	for _, r := range rows {
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s | %s |\n", r.number, r.title, r.holds, r.bubble, r.kafka, r.last, r.at)
	}
	return b.String()
}

var errMarkers = errors.New(document + " has no place for the table: its markers are missing")

// replace puts the table between the markers.
func replace(text, table string) (string, error) {
	before, rest, found := strings.Cut(text, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return "", errMarkers
	}
	return before + begin + "\n\n" + table + "\n" + end + after, nil
}

// old are the rows that a document has, by number.
func old(text string) map[int]row {
	_, rest, _ := strings.Cut(text, begin)
	table, _, _ := strings.Cut(rest, end)
	rows := map[int]row{}
	for line := range strings.Lines(table) {
		f := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(f) != 7 {
			continue
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		if n, err := strconv.Atoi(f[0]); err == nil {
			rows[n] = row{n, f[1], f[2], f[3], f[4], f[5], f[6]}
		}
	}
	return rows
}
