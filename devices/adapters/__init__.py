"""One file per device; the file name is its kind in the session file."""
