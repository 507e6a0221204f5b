package kafka

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logger passes kgo's warnings and errors on, to zap or to the user's own kgo.Logger.
// kgo logs coordinates and errors, never keys, values or credentials.
//
// It is also the only place that hears of some refusals: a fetch whose connection is
// refused is tried for ever, and nothing but this line tells.
type logger struct {
	zap     *zap.Logger
	inner   kgo.Logger  // the user's; nil: none
	refused func(error) // told of each refused authentication; may be nil
}

// Level is what kgo logs at all.
func (l logger) Level() kgo.LogLevel {
	if l.inner != nil {
		return max(l.inner.Level(), kgo.LogLevelWarn)
	}
	return kgo.LogLevelWarn
}

// Log writes one line. What kgo calls an error here is handled, so it is a warning.
func (l logger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	for _, v := range keyvals {
		if err, ok := v.(error); ok && l.refused != nil && isAuthentication(err) {
			l.refused(err)
		}
	}
	if l.inner != nil {
		if level <= l.inner.Level() {
			l.inner.Log(level, msg, keyvals...)
		}
		return
	}
	fields := make([]zap.Field, 0, len(keyvals)/2)
	for i := 0; i+1 < len(keyvals); i += 2 {
		key := fmt.Sprint(keyvals[i])
		if err, ok := keyvals[i+1].(error); ok {
			fields = append(fields, zap.NamedError(key, err))
			continue
		}
		fields = append(fields, zap.Any(key, keyvals[i+1]))
	}
	l.zap.Warn("kafka client: "+msg, fields...)
}

// throttled passes a message on at most every 30 s, over all kgo clients that get it: kgo
// repeats what it says of a broker that is away with every try, and for each connection.
func throttled(to *zap.Logger) *zap.Logger {
	return to.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, warnEvery, 1, 0)
	}))
}

// ownLogger is the logger among the user's options; nil when there is none.
func ownLogger(extra []kgo.Opt) kgo.Logger {
	var own kgo.Logger
	for _, opt := range extra {
		if optionName(opt) != "WithLogger" {
			continue
		}
		if cl, err := kgo.NewClient(opt); err == nil {
			own, _ = cl.OptValue(kgo.WithLogger).(kgo.Logger)
			cl.Close()
		}
	}
	return own
}
