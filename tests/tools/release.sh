#!/usr/bin/env bash
# Rehearses a release: all that pushing a tag would trip over, without the tag.
#
#   tests/tools/release.sh FOLDER [VERSION]
#
# Builds the source archive and the wheel of this machine in FOLDER, checks what the index
# checks, and installs the wheel where there is no compiler: in a Debian without one, if
# mmdebstrap is there and this is root (python3 must be of the version of that Debian),
# and otherwise without a PATH. With VERSION (such as 1.2.3), the version, the changelog
# and the citation must be those of the release. Commit first: what is not committed is
# not in the archive.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p "${1:?expected a folder to work in}"
folder=$(cd "$1" && pwd)
version=${2:-}

echo "== version, changelog, citation"
python3 - "$version" <<'END'
import re, sys
from pathlib import Path

wanted = sys.argv[1]
(version,) = re.findall(r'^__version__ = "(.*)"$', Path("skxmr/_version.py").read_text(), re.M)
(cited,) = re.findall(r"^version: (.*)$", Path("CITATION.cff").read_text(), re.M)
sections = re.findall(r"^## (.*)\n+(?!## )\S", Path("CHANGELOG.md").read_text(), re.M)
faults = []
if cited != version:
    faults.append(f"CITATION.cff has version {cited}; skxmr/_version.py {version}")
if wanted and version != wanted:
    faults.append(f"skxmr/_version.py has version {version}; expected {wanted}")
heading = rf"{re.escape(wanted)} \(\d{{4}}-\d\d-\d\d\)" if wanted else "Unreleased"
if not sections or not re.fullmatch(heading, sections[0]):
    faults.append(f"CHANGELOG.md begins with {sections[:1]}; expected {heading}")
print(*faults or [f"{version}, {sections[0]}"], sep="\n")
sys.exit(bool(faults))
END

echo "== tools"
[ -x "$folder/tools/bin/twine" ] || {
  python3 -m venv "$folder/tools"
  "$folder/tools/bin/pip" install --quiet build twine cffconvert setuptools
}
"$folder/tools/bin/cffconvert" --validate -i CITATION.cff

echo "== source archive and wheel"
rm -rf "$folder/clone" "$folder/dist"
git clone --quiet . "$folder/clone"
"$folder/tools/bin/python" -m build --outdir "$folder/dist" "$folder/clone" \
  >"$folder/build.log" 2>&1 || {
  tail -50 "$folder/build.log"
  exit 1
}
"$folder/tools/bin/twine" check --strict "$folder"/dist/*
python3 tests/tools/check_wheel.py "$folder"/dist/*.whl
wheel=$(basename "$folder"/dist/*.whl)
# Of the source archive: what a wheel, the tests and the documentation are made of.
contents=$(tar tzf "$folder"/dist/*.tar.gz)
for name in setup.py LICENSE tests/conftest.py docs/conf.py skxmr/_cython/_solver.pyx; do
  grep -q "/$name\$" <<<"$contents" || {
    echo "the source archive lacks $name"
    exit 1
  }
done

# With all that it needs, so that where it is installed needs no network.
rm -rf "$folder/wheels"
python3 -m pip download --quiet --only-binary=:all: --dest "$folder/wheels" \
  "$folder/dist/$wheel[demo]"

# Installs the wheels of folder $3, fits, searches and runs the command line, without a
# compiler, by the Python $2 in folder $1.
cat >"$folder/use.sh" <<'END'
set -e
cd "$1"
for compiler in cc gcc clang; do
  if command -v "$compiler"; then
    echo "there is a compiler: this shows nothing"
    exit 1
  fi
done
"$2" -m venv installed
installed/bin/pip install --quiet --no-index --find-links "$3" "skxmr[demo]"
installed/bin/python -W error -c '
import skxmr
titles, subjects = skxmr.datasets.load_subjects(return_X_y=True)
retriever = skxmr.TextRetriever().fit(titles[:2000], subjects[:2000])
assert retriever.search(titles[0], k=5), "nothing found"
print("skxmr", skxmr.__version__, "works")
'
installed/bin/skxmr --help >help.txt
END
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
if [ "$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null; then
  echo "== installed in a Debian without a compiler"
  [ -d "$folder/debian/usr" ] ||
    mmdebstrap --quiet --variant=apt --include=python3-venv "$suite" "$folder/debian"
  rm -rf "$folder/debian/try"
  mkdir "$folder/debian/try"
  cp -r "$folder/wheels" "$folder/use.sh" "$folder/debian/try"
  chroot "$folder/debian" /bin/sh /try/use.sh /try python3 /try/wheels
else
  echo "== installed without a PATH"
  rm -rf "$folder/try"
  mkdir "$folder/try"
  PATH=/nonexistent "$BASH" "$folder/use.sh" "$folder/try" "$(command -v python3)" \
    "$folder/wheels"
fi
echo "ready for a tag"
