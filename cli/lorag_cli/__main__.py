"""`python -m lorag_cli`."""

from lorag_cli.main import main

if __name__ == "__main__":
    main()
