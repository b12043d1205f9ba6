"""The command line: ``python -m skxmr``, also installed as ``skxmr``."""

from skxmr._cli._main import main

if __name__ == "__main__":
    raise SystemExit(main())
