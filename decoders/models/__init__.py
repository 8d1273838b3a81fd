"""One file per decoder family; the file name is its kind in the session file."""
