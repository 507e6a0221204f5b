package runtime

import (
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// defaultLogger writes warnings and errors to w, one JSON object a line.
func defaultLogger(w io.Writer) *zap.Logger {
	enc := zap.NewProductionEncoderConfig()
	enc.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(enc), zapcore.Lock(zapcore.AddSync(w)), zap.WarnLevel))
}
