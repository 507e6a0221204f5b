package list

import "testing"

func TestScenariosAreListedInOrder(t *testing.T) {
	t.Parallel()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 116 {
		t.Fatalf("%d scenarios, want 116", len(all))
	}
	if s, ok := Find(42); !ok || s.Number != 42 || s.Title != "the coordinator moves every 2 seconds" {
		t.Errorf("scenario 42 is %+v, %v", s, ok)
	}
	for _, n := range []int{0, 117} {
		if s, ok := Find(n); ok {
			t.Errorf("scenario %d is %+v", n, s)
		}
	}
	for _, line := range []string{"1 | a | b | c", "x | a | b | c | d"} {
		if s, err := parse(line); err == nil {
			t.Errorf("%q is %+v", line, s)
		}
	}
}
