#!/bin/bash -eu
# Run by OSS-Fuzz in its container. SWIFTFLAGS, which the next line sets, name the sanitizers.
. precompile_swift
export SWIFTFLAGS="--sanitize fuzzer $SWIFTFLAGS"
scripts/fuzz layout "$OUT"
