package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/internal/scenarios/list"
)

const (
	bubblePkg = "internal/scenarios"
	kafkaPkg  = "internal/conformance"
)

// runs are what the input says of tests, by package folder and name.
type runs struct {
	ended   map[string]string        // "pass", "fail" or "skip"
	results map[string][]list.Result // of a test and its variants
}

// event is a line of go test -json.
type event struct{ Action, Package, Test, Key, Value string }

func read(r io.Reader) (*runs, error) {
	seen := &runs{map[string]string{}, map[string][]list.Result{}}
	in := bufio.NewScanner(r)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		line := in.Bytes()
		if !bytes.HasPrefix(line, []byte("{")) {
			continue // what the build said
		}
		var ev event
		if err := json.Unmarshal(line, &ev); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		if err := seen.take(ev); err != nil {
			return nil, err
		}
	}
	return seen, in.Err()
}

func (s *runs) take(ev event) error {
	root, _, variant := strings.Cut(ev.Test, "/")
	at := key(ev.Package, root)
	switch {
	case ev.Test == "":
	case ev.Action == "attr" && ev.Key == list.Attribute:
		var r list.Result
		if err := json.Unmarshal([]byte(ev.Value), &r); err != nil {
			return fmt.Errorf("%s: %w", ev.Test, err)
		}
		s.results[at] = append(s.results[at], r)
	case !variant && slices.Contains([]string{"pass", "fail", "skip"}, ev.Action):
		s.ended[at] = ev.Action
	}
	return nil
}

// key is a test by the folder of its package within the module.
func key(pkg, test string) string {
	for _, dir := range []string{bubblePkg, kafkaPkg} {
		if strings.HasSuffix(pkg, dir) {
			return dir + " " + test
		}
	}
	return path.Base(pkg) + " " + test
}

func (s *runs) failed() []string {
	var names []string
	for at, how := range s.ended {
		if how == "fail" {
			names = append(names, at)
		}
	}
	slices.Sort(names)
	return names
}

// counts are the sums over a test and its variants.
func (s *runs) counts(at string) (faults, compared int64) { //nolint:nonamedreturns // tells them apart
	for _, r := range s.results[at] {
		for n := range maps.Values(r.Faults) {
			faults += n
		}
		for n := range maps.Values(r.Compared) {
			compared += n
		}
	}
	return faults, compared
}

var declared = regexp.MustCompile(`(?m)^func (TestScenario(\d{3})\w*)\(`)

// tests are the scenarios' tests that exist, by number.
func tests(repo fs.FS) (map[int][]string, error) {
	files, err := fs.Glob(repo, bubblePkg+"/*_test.go")
	if err != nil {
		return nil, err
	}
	all := map[int][]string{}
	for _, file := range files {
		text, err := fs.ReadFile(repo, file)
		if err != nil {
			return nil, err
		}
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			n, err := strconv.Atoi(m[2])
			if err != nil {
				return nil, err
			}
			all[n] = append(all[n], m[1])
		}
	}
	for _, names := range all {
		slices.Sort(names)
	}
	return all, nil
}
