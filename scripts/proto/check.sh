#!/usr/bin/env bash
# Checks the protobuf schemas with the buf that it is given: lint, what would break a reader, and that the generated Go is current.
#
# "Breaking" is against every commit up to HEAD that changed a schema, not against a branch called main: CI has a fresh clone in which
# HEAD is main, and a comparison with itself finds nothing. What a commit changed is held from the next one on.
set -euo pipefail
buf=$1
cd "$(git rev-parse --show-toplevel)"
schemas=':(glob)proto/**/*.proto'

"$buf" lint
"$buf" format --diff --exit-code

if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
  echo "this clone has no history to compare the schemas with: git fetch --unshallow" >&2
  exit 1
fi
for commit in $(git rev-list HEAD -- "$schemas"); do
  git archive "$commit" buf.yaml proto | "$buf" breaking --against '-#format=tar' || {
    echo "the schemas break who reads what commit ${commit:0:12} wrote" >&2
    exit 1
  }
done

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$buf" generate --output "$fresh"
diff -r --exclude='*.proto' "$fresh/proto" proto || { echo 'the generated code is out of date: make generate' >&2; exit 1; }
