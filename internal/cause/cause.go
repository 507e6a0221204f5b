// Package cause finds what is at the bottom of an error.
package cause

// longest is the chain that is followed to its end: it is the user's, and need not have one.
const longest = 100

// Innermost is the error that err wraps, directly or through others, and that wraps none.
// Where one wraps several, it is that one; in a chain of more than 100, the hundredth.
func Innermost(err error) error {
	for range longest {
		wraps, ok := err.(interface{ Unwrap() error })
		if !ok {
			break
		}
		inner := wraps.Unwrap()
		if inner == nil {
			break
		}
		err = inner
	}
	return err
}
