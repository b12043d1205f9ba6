#!/usr/bin/env bash
# Compiles the kernels for other platforms, and runs their tests where that can be done.
#
#   tests/tools/platforms.sh FOLDER [STAGE...]
#
# scalar   Clang that is told to be no GCC takes the plain C of compilers without vector
#          types, as MSVC does; the tests of the kernels then run.
# arm64    A cross compiler; the tests of the kernels then run in an emulator, with
#          Debian's Python and the wheels of NumPy, SciPy and scikit-learn for arm64, and
#          fitted models must have the same bits as here.
# windows, macos, musl
#          Zig compiles each kernel, and a warning is an error. Nothing is linked or run.
#          These show that the sources are right for the compiler, the C library and the
#          sizes of types there. The headers are those of this machine's Python, and for
#          Windows those of its source: set PYTHON_SOURCE to a folder with the source of
#          this version (`apt-get source python3.11`). MSVC itself runs in the workflow.
#
# Without a STAGE, those run for which the tools are there. FOLDER keeps what is made and
# fetched: a second run does only what is missing. Run it from the virtual environment of
# development, on Linux on x86-64.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p "${1:?expected a folder to work in}"
folder=$(cd "$1" && pwd)
shift

python=$(command -v python)
version=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
# What depends on the processor and the compiler, and takes minutes in an emulator.
KERNELS=(
  tests/_training/test_training.py tests/_training/test_compaction.py
  tests/_search/test_search.py tests/_search/test_dense.py tests/_search/test_pruning.py
  tests/tree/test_kmeans_tree.py tests/tree/test_trie_tree.py tests/text/test_vocabulary.py
)

# Stages name what they lack, and run only if that is nothing.
missing_scalar() { command -v clang clang-19 >/dev/null || echo "clang"; }
missing_arm64() {
  command -v aarch64-linux-gnu-gcc >/dev/null || echo "gcc-aarch64-linux-gnu"
  command -v qemu-aarch64-static >/dev/null || echo "qemu-user-static"
  command -v mmdebstrap >/dev/null || echo "mmdebstrap"
}
missing_musl() { python -c "import ziglang" 2>/dev/null || echo "ziglang (from PyPI)"; }
missing_macos() { missing_musl; }
missing_windows() {
  missing_musl
  [ -f "${PYTHON_SOURCE:-}/PC/pyconfig.h" ] || echo "PYTHON_SOURCE, see above"
}

# Build into a folder of the stage: what is compiled in this clone stays as it is.
build() {
  python setup.py -q build --build-base "$folder/$1/build" --build-lib "$folder/$1/lib"
}

stage_scalar() {
  local clang
  clang=$(command -v clang clang-19 | head -1)
  # Cython marks what it may leave unused for GCC only, hence its warnings.
  CC="$clang -fgnuc-version=0" LDSHARED="$clang -shared" CFLAGS="-Wno-unused" build scalar
  # -P: the clone's own kernels are not found first.
  PYTHONPATH="$folder/scalar/lib" python -P -c '
from skxmr._cython import _cpu
print("kernels of", _cpu.__file__)
'
  same_models "$folder/scalar/lib" python
  PYTHONPATH="$folder/scalar/lib" python -P -m pytest -q "${KERNELS[@]}"
}

# An arm64 Debian, unpacked and not installed: nothing of it runs without the emulator.
arm64_root() {
  local suite root=$folder/arm64/root
  [ -x "$root/usr/bin/python$version" ] || {
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    rm -rf "$root"
    mmdebstrap --quiet --variant=extract --arch=arm64 \
      --include="python$version,libpython$version-dev,libgomp1,libstdc++6" "$suite" "$root"
  }
  [ -d "$folder/arm64/site/sklearn" ] ||
    python -m pip install --quiet --target "$folder/arm64/site" --only-binary=:all: \
      --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
      --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
      --python-version "$version" --implementation cp \
      numpy scipy scikit-learn joblib threadpoolctl pytest hypothesis
}

stage_arm64() {
  arm64_root
  local root=$folder/arm64/root
  CC=aarch64-linux-gnu-gcc LDSHARED="aarch64-linux-gnu-gcc -shared" \
    CFLAGS="-Werror -I$root/usr/include/python$version -idirafter $root/usr/include" \
    SETUPTOOLS_EXT_SUFFIX=".cpython-${version/./}-aarch64-linux-gnu.so" build arm64
  cat >"$folder/arm64/python" <<END
#!/bin/sh
exec qemu-aarch64-static -L "$root" "$root/usr/bin/python$version" "\$@"
END
  chmod +x "$folder/arm64/python"
  local path=$folder/arm64/lib:$folder/arm64/site
  OPENBLAS_NUM_THREADS=1 same_models "$path" "$folder/arm64/python"
  OPENBLAS_NUM_THREADS=1 PYTHONPATH="$path" "$folder/arm64/python" -P -m pytest -q \
    -p no:cacheprovider "${KERNELS[@]}"
}

# Fitted models have the same bits as those of the kernels compiled here.
same_models() {
  python tests/tools/fingerprints.py >"$folder/here.json"
  PYTHONPATH="$1" "$2" -P tests/tools/fingerprints.py >"$folder/there.json"
  python - "$folder/here.json" "$folder/there.json" <<'END'
import json, pathlib, sys

here, there = (json.loads(pathlib.Path(path).read_text()) for path in sys.argv[1:])
for name in ("python", "numpy"):  # their versions may differ
    del here[name]
other = sorted(name for name in here if there.get(name) != here[name])
print(f"{len(here) - len(other)} of {len(here)} models have the same bits", *other)
sys.exit(bool(other))
END
}

# compile_with_zig STAGE TARGET FLAG...
compile_with_zig() {
  local stage=$1 target=$2 headers
  shift 2
  headers=$(python -c 'import sysconfig; print(sysconfig.get_path("include"))')
  mkdir -p "$folder/$stage"
  python setup.py -q egg_info --egg-base "$folder/$stage" # writes the C files
  printf '%s\n' skxmr/_cython/_*.c | xargs -P "$(nproc)" -I{} bash -c '
    "$0" -m ziglang cc -c "$1" -o "$2/$(basename "$1" .c).o" "${@:3}"' \
    "$python" {} "$folder/$stage" -target "$target" -O1 -Wall -Werror -ffp-contract=off \
    -include skxmr/_cython/include/strict.h -Iskxmr/_cython "$@" "-I$headers"
  echo "$(find "$folder/$stage" -name '_*.o' | wc -l) kernels compiled for $target"
}

stage_musl() { compile_with_zig musl x86_64-linux-musl; }
stage_macos() { compile_with_zig macos aarch64-macos; }
stage_windows() {
  # Its pyconfig.h tells the size of pointers to MSVC only.
  compile_with_zig windows x86_64-windows-gnu -DMS_WIN64 \
    "-I$PYTHON_SOURCE/PC" "-I$PYTHON_SOURCE/Include"
}

named=$#
[ "$named" -gt 0 ] || set -- scalar arm64 windows macos musl
for stage in "$@"; do
  [ "$(type -t "stage_$stage")" = function ] || {
    echo "no stage $stage; expected scalar, arm64, windows, macos or musl" >&2
    exit 2
  }
  lacks=$("missing_$stage" | paste -sd, -)
  if [ -n "$lacks" ]; then
    echo "== $stage: skipped, needs $lacks"
    [ "$named" = 0 ] || exit 1
    continue
  fi
  echo "== $stage"
  "stage_$stage"
done
