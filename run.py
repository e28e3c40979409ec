"""The commands of Weizheng: `python run.py --help`."""

import signal

if __name__ == "__main__":
    # Ctrl-C while modules are being loaded ends the process, without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    from cli.main import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
