"""The `bci` command, one file a subcommand.

Their modules import nothing heavy: what a command needs is imported when it runs, so that
``bci --help`` answers at once.
"""
