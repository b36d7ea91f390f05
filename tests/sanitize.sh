#!/usr/bin/env bash
# Run tests on kernels built with AddressSanitizer and UBSan: tests/sanitize.sh [pytest arguments].
# Without arguments, all tests of the kernels. Needs GCC or Clang; builds and runs in a copy of the
# project with an environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar --create --exclude='*.so' --exclude=.git --exclude=./build . | tar --extract --directory "$work"
cd "$work"
python3 -m venv "$work/.venv"
# shellcheck source=/dev/null
source "$work/.venv/bin/activate"
CNNFAST_CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -g1 -O1" \
    python -m pip install --quiet --no-compile --editable ".[test]"
# Python itself is not instrumented, so the runtime has to be there first, and what the interpreter
# keeps until it ends is no leak. tests/ext/test_workspace.py counts what the kernels give back.
runtime=$("${CC:-gcc}" -print-file-name=libasan.so)
export LD_PRELOAD="$runtime" ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
if [ $# -eq 0 ]; then
    set -- tests/functional tests/ext
fi
# AddressSanitizer itself takes more address space than one test leaves it.
python -m pytest -p no:cacheprovider -k "not failed_allocations" "$@"
