#!/usr/bin/env bash
# The test suite on the oldest supported versions, in a virtual environment in FOLDER.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:?expected the folder of a virtual environment to make}
python3 -m venv "$folder"
# polars after 1.19 and pytest 9 are newer than what scikit-learn 1.6 knows; pandas 3
# makes sparse matrices with newer versions of SciPy only.
"$folder/bin/pip" install --quiet -e ".[test]" "numpy==2.0.*" "scipy==1.13.*" \
  "scikit-learn==1.6.*" "joblib==1.3.*" "threadpoolctl==3.1.*" "polars<1.20" \
  "pandas<3" "pytest<9"
"$folder/bin/python" -m pytest tests -m "slow or not slow" "${@:2}"
