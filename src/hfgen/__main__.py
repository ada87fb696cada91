"""`python -m hfgen` is `hfgen`."""

from hfgen.cli import main

if __name__ == "__main__":
    main()
