package runtime

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Secret is a credential that does not show itself: printed, encoded or logged, it is
// a mask. It comes from a file or the environment and is read anew by each Reveal, so
// that it can be rotated without a restart. The zero value is empty.
type Secret struct{ read func() (string, error) }

const (
	masked         = "***"
	secretMaxBytes = 64 << 10
)

// SecretFile is the content of the file at path, less surrounding white space. Reveal
// fails when it cannot be read, is empty or is larger than 64 KiB.
func SecretFile(path string) Secret {
	return Secret{func() (string, error) { return readSecret(path) }}
}

// SecretEnv is the value of the environment variable name. Reveal fails when it is not
// set or empty.
func SecretEnv(name string) Secret {
	return Secret{func() (string, error) {
		v := os.Getenv(name)
		if v == "" {
			return "", fmt.Errorf("secret: environment variable %q is not set", name)
		}
		return v, nil
	}}
}

func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(io.LimitReader(f, secretMaxBytes+1))
	text := strings.TrimSpace(string(b))
	switch {
	case err != nil:
		return "", fmt.Errorf("secret: %w", err)
	case len(b) > secretMaxBytes:
		return "", fmt.Errorf("secret: file %q is larger than %d bytes", path, secretMaxBytes)
	case text == "":
		return "", fmt.Errorf("secret: file %q is empty", path)
	}
	return text, nil
}

// Reveal reads the credential. Its errors do not contain it.
func (s Secret) Reveal() (string, error) {
	if s.read == nil {
		return "", nil
	}
	return s.read()
}

// String is the mask.
func (Secret) String() string { return masked }

// Format writes the mask for every verb.
func (Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, masked) }

// MarshalText is the mask, in JSON and YAML too.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

func (s Secret) isSet() bool { return s.read != nil }
