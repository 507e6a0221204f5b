package kafka

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// kgo repeats itself with every try. One logger is behind all clients of a member.
func TestAMessageOfTheClientIsLoggedEveryThirtySeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		to := throttled(zap.New(core))
		for range 100 { // seconds
			for _, l := range []logger{{zap: to}, {zap: to}} {
				l.Log(kgo.LogLevelWarn, "unable to open connection to broker", "err", errors.New("refused"))
				l.Log(kgo.LogLevelError, "something else")
			}
			time.Sleep(time.Second)
		}
		for _, text := range []string{"kafka client: unable to open connection to broker", "kafka client: something else"} {
			lines := logs.FilterMessage(text).All()
			if len(lines) != 4 {
				t.Fatalf("%d lines of %q in 100 s, want 4", len(lines), text)
			}
			for i := range lines[1:] {
				if apart := lines[i+1].Time.Sub(lines[i].Time); apart != 30*time.Second {
					t.Errorf("%q again after %v, want 30 s", text, apart)
				}
			}
		}
	})
}
