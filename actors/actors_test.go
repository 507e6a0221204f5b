package actors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/troupe-go/troupe/actors"
)

func ExampleFunc() {
	factory := actors.Func(func(_ context.Context, rec *actors.Record) error {
		fmt.Printf("%s = %s\n", rec.Key, rec.Value)
		return nil
	})
	behavior := factory(actors.VirtualPartition{Topic: "orders", Partition: 3, Index: 7})
	err := behavior.Receive(context.Background(), &actors.Record{Key: []byte("a"), Value: []byte("1")})
	fmt.Println(err)
	// Output:
	// a = 1
	// <nil>
}

func ExampleByHeader() {
	byTenant := actors.ByHeader("tenant")
	rec := &actors.Record{Key: []byte("order-7"), Headers: []actors.Header{{Key: "tenant", Value: []byte("acme")}}}
	fmt.Printf("%s %v\n", byTenant(rec), byTenant(&actors.Record{}) == nil)
	// Output: acme true
}

func TestFuncPassesContextRecordAndError(t *testing.T) {
	t.Parallel()
	type key struct{}
	want := errors.New("x")
	rec := &actors.Record{Offset: 7}
	behavior := actors.Func(func(ctx context.Context, got *actors.Record) error {
		if got != rec {
			t.Errorf("record %p, want %p", got, rec)
		}
		if ctx.Value(key{}) != 1 {
			t.Error("not the context of the call")
		}
		return want
	})(actors.VirtualPartition{})
	if err := behavior.Receive(context.WithValue(t.Context(), key{}, 1), rec); err != want { //nolint:errorlint // the very same
		t.Errorf("error %v, want %v", err, want)
	}
}

func TestVirtualPartitionString(t *testing.T) {
	t.Parallel()
	for want, vp := range map[string]actors.VirtualPartition{
		"orders/3/7": {Topic: "orders", Partition: 3, Index: 7},
		"/0/0":       {},
	} {
		if got := vp.String(); got != want {
			t.Errorf("String of %#v = %q, want %q", vp, got, want)
		}
	}
}

func TestByHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		headers []actors.Header
		want    []byte
	}{
		{"none", nil, nil},
		{"others", []actors.Header{{Key: "K", Value: []byte("1")}, {Key: "kk", Value: []byte("2")}}, nil},
		{"one", []actors.Header{{Key: "other", Value: []byte("1")}, {Key: "k", Value: []byte("2")}}, []byte("2")},
		{"first of two", []actors.Header{{Key: "k", Value: []byte("1")}, {Key: "k", Value: []byte("2")}}, []byte("1")},
		{"nil value is no key", []actors.Header{{Key: "k"}, {Key: "k", Value: []byte("2")}}, nil},
		{"empty value is a key", []actors.Header{{Key: "k", Value: []byte{}}}, []byte{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := actors.ByHeader("k")(&actors.Record{Key: []byte("key"), Headers: c.headers})
			if !bytes.Equal(got, c.want) || (got == nil) != (c.want == nil) {
				t.Errorf("got %#v, want %#v", got, c.want)
			}
		})
	}
}

func TestByKeyTellsNilFromEmpty(t *testing.T) {
	t.Parallel()
	if got := actors.ByKey(&actors.Record{}); got != nil {
		t.Errorf("no key: %#v, want nil", got)
	}
	if got := actors.ByKey(&actors.Record{Key: []byte{}}); got == nil {
		t.Error("an empty key became none")
	}
}

func TestUnorderedIsStableAndTellsOffsetsApart(t *testing.T) {
	t.Parallel()
	seen := map[string]int64{}
	for offset := range int64(1000) {
		a := actors.Unordered(&actors.Record{Offset: offset})
		b := actors.Unordered(&actors.Record{Offset: offset, Key: []byte("k"), Attempt: 3})
		if !bytes.Equal(a, b) {
			t.Fatalf("offset %d: %x on its first delivery, %x on its third", offset, a, b)
		}
		if other, ok := seen[string(a)]; ok {
			t.Fatalf("offsets %d and %d are both %x", other, offset, a)
		}
		seen[string(a)] = offset
	}
}
