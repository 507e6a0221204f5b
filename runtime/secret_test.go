package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const canary = "hunter2-canary"

func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSecretReveal(t *testing.T) {
	t.Setenv("TROUPE_TEST_SECRET", canary)
	t.Setenv("TROUPE_TEST_EMPTY", "")
	for _, c := range []struct {
		name string
		s    Secret
		want string
		err  string // within the error
	}{
		{"zero value", Secret{}, "", ""},
		{"file", SecretFile(secretFile(t, canary)), canary, ""},
		{"file with a line end", SecretFile(secretFile(t, " "+canary+"\r\n")), canary, ""},
		{"empty file", SecretFile(secretFile(t, " \n")), "", "is empty"},
		{"large file", SecretFile(secretFile(t, strings.Repeat(canary, 10_000))), "", "is larger than 65536 bytes"},
		{"missing file", SecretFile(filepath.Join(t.TempDir(), "none")), "", "no such file"},
		{"folder", SecretFile(t.TempDir()), "", "directory"},
		{"environment", SecretEnv("TROUPE_TEST_SECRET"), canary, ""},
		{"empty variable", SecretEnv("TROUPE_TEST_EMPTY"), "", `environment variable "TROUPE_TEST_EMPTY" is not set`},
		{"missing variable", SecretEnv("TROUPE_TEST_NONE\n"), "", `environment variable "TROUPE_TEST_NONE\n" is not set`},
	} {
		got, err := c.s.Reveal()
		if got != c.want || (err != nil) != (c.err != "") {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
		}
		if err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), canary)) {
			t.Errorf("%s: error %q, want %q within, and no secret", c.name, err, c.err)
		}
	}
}

func TestSecretIsReadAnew(t *testing.T) {
	t.Parallel()
	path := secretFile(t, "old")
	s := SecretFile(path)
	if err := os.WriteFile(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Reveal(); got != "new" || err != nil {
		t.Errorf("got %q, %v, want new", got, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reveal(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that it does not exist", err)
	}
}

// Whatever is printed or logged of a Secret, and of a Config that holds one, is masked.
func TestSecretIsMasked(t *testing.T) {
	t.Parallel()
	s := Secret{func() (string, error) { return canary, nil }}
	config := validConfig()
	config.SASL = SASL{Mechanism: saslPlain, Username: "billing", Password: s}
	texts := map[string]string{"errors": config.Validate().Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		for name, v := range map[string]any{"secret": s, "pointer": &s, "sasl": config.SASL, "config": config, "config pointer": &config, "slice": []Secret{s}, "map": map[string]any{"p": s}} {
			args := []any{v, v}[:strings.Count(verb, "%")]
			texts[name+" "+verb] = fmt.Sprintf(verb, args...)
		}
	}
	texts["json"] = toJSON(t, config.SASL)
	texts["json of a map"] = toJSON(t, map[string]any{"p": s, "q": &s})
	texts["zap"] = toZap(s, config.SASL)
	texts["slog"] = toSlog(s, config.SASL)
	for name, text := range texts {
		if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
			t.Errorf("%s shows it: %s", name, text)
		}
		if name != "errors" && !strings.Contains(text, masked) {
			t.Errorf("%s has no mask: %s", name, text)
		}
	}
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func toZap(s Secret, sasl SASL) string {
	var out bytes.Buffer
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&out), zap.DebugLevel)
	log := zap.New(core)
	log.Info("x", zap.Any("secret", s), zap.Stringer("stringer", s), zap.Any("sasl", sasl), zap.Reflect("reflected", s), zap.Any("list", []Secret{s}))
	log.Sugar().Infow("y", "secret", s, "sasl", sasl)
	log.Sugar().Infof("%v %+v %#v", s, sasl, sasl)
	return out.String()
}

func toSlog(s Secret, sasl SASL) string {
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", s, "sasl", sasl)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", s, "sasl", sasl)
	return out.String()
}

func TestDefaultLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := defaultLogger(&out)
	log.Info("assigned")
	log.Warn("gap\n", zap.String("topic", "a\x1b[2Jb"))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1 {
		t.Fatalf("%d lines, want the warning alone:\n%s", len(lines), out.String())
	}
	var got struct{ Level, Msg, Topic, TS string }
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil || got.Level != "warn" || got.Msg != "gap\n" || got.Topic != "a\x1b[2Jb" || got.TS == "" {
		t.Errorf("%v: %s", err, lines[0])
	}
	if strings.ContainsRune(lines[0], 0x1b) {
		t.Errorf("a control character: %q", lines[0])
	}
}

func TestOnAheadString(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]OnAhead{"pause": AheadPause, "repeat": AheadRepeat, "OnAhead(7)": 7} {
		if got := a.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOnGapString(t *testing.T) {
	t.Parallel()
	for want, g := range map[string]OnGap{"stop": GapStop, "continue": GapContinue, "OnGap(7)": 7} {
		if got := g.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
