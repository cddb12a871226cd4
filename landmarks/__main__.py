"""`python -m landmarks` is the `landmarks` command."""

from landmarks.cli.main import main

if __name__ == "__main__":
    main()
