package runtime

// SASL is how the client authenticates. The zero value does not.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. PLAIN sends the password as it
	// is and needs TLS.
	//
	// Defaults to empty: none.
	Mechanism string

	// Username is required with a mechanism.
	Username string

	// Password is required with a mechanism. It is read anew for each session.
	Password Secret
}

const (
	saslPlain    = "PLAIN"
	saslScram256 = "SCRAM-SHA-256"
	saslScram512 = "SCRAM-SHA-512"
)

func (s SASL) isZero() bool { return s.Mechanism == "" && s.Username == "" && !s.Password.isSet() }
