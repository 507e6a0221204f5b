package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestListCoversEveryLinkedModule(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	modules, err := linked(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if len(modules) == 0 {
		t.Fatal("no module is linked, which cannot be")
	}
	want, err := render(modules)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, listFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(got), "\n")
	for line := range strings.Lines(want) {
		if !slices.Contains(lines, line) {
			t.Errorf("%s lacks %q", listFile, line)
		}
	}
	if string(got) != want {
		t.Errorf("%s is out of date; run `make licenses`", listFile)
	}
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"apache":    {"  Apache License\n  Version 2.0, January 2004", "Apache-2.0"},
		"mit":       {"Permission is hereby granted,\nfree of charge, to any person", "MIT"},
		"bsd three": {"Redistribution and use in source and binary forms ... to endorse or promote products", "BSD-3-Clause"},
		"bsd two":   {"Redistribution and use in source and binary forms", "BSD-2-Clause"},
		"copyleft":  {"GNU GENERAL PUBLIC LICENSE Version 3", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := identify(tt.text); got != tt.want {
				t.Errorf("identify(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

func TestAModuleWithoutAKnownLicenseIsRefused(t *testing.T) {
	t.Parallel()
	if list, err := render([]module{{Path: "example.com/m", Version: "v1.0.0", Dir: t.TempDir()}}); err == nil {
		t.Errorf("render listed a module without a license:\n%s", list)
	}
}
