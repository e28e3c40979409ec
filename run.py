"""The commands of Weizheng: `python run.py --help`."""

from cli.main import main

if __name__ == "__main__":
    main()
