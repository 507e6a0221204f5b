package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is one module of the build list, as `go list -json` prints it.
type module struct {
	Path, Version, Dir string
	Main               bool
}

// linked lists the modules that the packages below dir need, tests aside, sorted by path.
func linked(ctx context.Context, dir string) ([]module, error) {
	modules := map[string]module{}
	for _, system := range []string{"linux", "darwin", "windows"} {
		if err := addLinked(ctx, dir, system, modules); err != nil {
			return nil, fmt.Errorf("packages on %s: %w", system, err)
		}
	}
	return slices.SortedFunc(maps.Values(modules), func(a, b module) int { return strings.Compare(a.Path, b.Path) }), nil
}

func addLinked(ctx context.Context, dir, system string, modules map[string]module) error {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Module", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	packages := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct{ Module *module }
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if p.Module != nil && !p.Module.Main {
			modules[p.Module.Path] = *p.Module
		}
	}
}

// render writes the list of modules. A module whose license it does not know is an error.
func render(modules []module) (string, error) {
	var list strings.Builder
	list.WriteString("# Modules that are linked\n\nWritten by `make licenses`. Each license's text is in its module.\n\n| module | version | license |\n|---|---|---|\n")
	for _, m := range modules {
		name, err := licenseOf(m.Dir)
		if err != nil {
			return "", fmt.Errorf("%s: %w", m.Path, err)
		}
		fmt.Fprintf(&list, "| %s | %s | %s |\n", m.Path, m.Version, name)
	}
	return list.String(), nil
}

// licenseOf names the license in a module's root by its SPDX identifier.
func licenseOf(dir string) (string, error) {
	var files []string
	for _, pattern := range []string{"LICEN[CS]E*", "COPYING*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return "", err
		}
		files = append(files, found...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if name := identify(string(text)); name != "" {
			return name, nil
		}
	}
	return "", fmt.Errorf("no known license in %s: look at it, then teach identify", strings.Join(files, ", "))
}

// identify recognizes the permissive licenses, and no other: what it does not know wants a decision.
func identify(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	has := func(phrase string) bool { return strings.Contains(text, phrase) }
	redistribution := has("Redistribution and use in source and binary forms")
	switch {
	case has("Apache License") && has("Version 2.0"):
		return "Apache-2.0"
	case has("Permission is hereby granted, free of charge"):
		return "MIT"
	case redistribution && has("endorse or promote products"):
		return "BSD-3-Clause"
	case redistribution:
		return "BSD-2-Clause"
	}
	return ""
}
