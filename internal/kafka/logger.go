package kafka

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// logger passes kgo's warnings and errors on. kgo logs coordinates and errors, never
// keys, values or credentials.
type logger struct{ zap *zap.Logger }

// Level is what kgo logs at all.
func (logger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log writes one line. kgo calls a member that leaves, and one whose session ends, an
// error; it is one that is handled, so both are warnings here.
func (l logger) Log(_ kgo.LogLevel, msg string, keyvals ...any) {
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
