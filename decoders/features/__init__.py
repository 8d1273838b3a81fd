"""One file per stage; the file name is its kind in the session file."""
