package runtime

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/troupe-go/troupe/runtime/observe"
)

// A call that its lane has left behind may return after Run has, and its lane tells of it.
func TestAnEventAfterTheEndIsDropped(t *testing.T) {
	t.Parallel()
	told := 0
	o := newObserver(zap.NewNop(), []observe.Hook{observe.HookFunc(func(time.Time, observe.Event) { told++ })})
	o.start()
	o.Emit(observe.ShutdownBegan{})
	o.stop()
	o.Emit(observe.Freed{})
	if told != 1 {
		t.Errorf("the hook was told %d times, want 1", told)
	}
}
