package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// compare reads the lines of interleaved runs and prints, per contender, the medians
// and the median of its ratios to the loop, run by run.
func compare(files []string) {
	runs := map[string][]result{}
	var order []string
	for _, path := range files {
		f := must(os.Open(path))
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var r result
			must0(json.Unmarshal(lines.Bytes(), &r))
			name := fmt.Sprintf("%s, %d lanes, wait %d us", r.System, r.Lanes, r.WaitUS)
			if r.System == "loop" {
				name = "loop"
			}
			if !slices.Contains(order, name) {
				order = append(order, name)
			}
			runs[name] = append(runs[name], r)
		}
		must0(f.Close())
	}
	base := runs["loop"]
	fmt.Println("| contender | runs | records/s | of the loop | CPU-s per million | of the loop's | of lanes / sleep | peak MB | allocations per record | steal % |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, name := range order {
		rs := runs[name]
		fmt.Printf("| %s | %d | %.0f | %s | %.3f | %s | %s | %.0f | %.3f | %.1f |\n", name, len(rs),
			median(rs, func(r result) float64 { return r.Rate }),
			ratio(rs, base, func(r result) float64 { return r.Rate }),
			median(rs, func(r result) float64 { return r.CPU }),
			ratio(rs, base, func(r result) float64 { return r.CPU }),
			ideal(rs),
			median(rs, func(r result) float64 { return float64(r.PeakMB) }),
			median(rs, func(r result) float64 { return r.Allocs }),
			median(rs, func(r result) float64 { return r.Steal }))
	}
}

func median(rs []result, of func(result) float64) float64 {
	values := make([]float64, 0, len(rs))
	for _, r := range rs {
		values = append(values, of(r))
	}
	slices.Sort(values)
	if len(values)%2 == 1 {
		return values[len(values)/2]
	}
	return (values[len(values)/2-1] + values[len(values)/2]) / 2
}

// ratio is the median, with the extremes, of pairs of the same round.
func ratio(rs, base []result, of func(result) float64) string {
	if len(base) == 0 || len(rs) != len(base) || rs[0].WaitUS > 0 {
		return ""
	}
	ratios := make([]float64, len(rs))
	for i := range rs {
		ratios[i] = of(rs[i]) / of(base[i])
	}
	slices.Sort(ratios)
	return fmt.Sprintf("%.2f (%.2f-%.2f)", ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
}

// ideal is the rate as a share of what the lanes could do at most: one record per
// measured sleep and lane.
func ideal(rs []result) string {
	if rs[0].SleepUS == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", median(rs, func(r result) float64 {
		return r.Rate * r.SleepUS / 1e6 / float64(r.Lanes*r.Parts)
	}))
}
