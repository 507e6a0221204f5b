// Command licenses writes THIRD_PARTY.md: the modules that are linked into a program that embeds Troupe, or into
// cmd/runner, each with its license.
package main

import (
	"context"
	"fmt"
	"os"
)

// listFile is the list's place, from the module's root.
const listFile = "THIRD_PARTY.md"

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	modules, err := linked(ctx, ".")
	if err != nil {
		return err
	}
	list, err := render(modules)
	if err != nil {
		return err
	}
	return os.WriteFile(listFile, []byte(list), 0o644)
}
