"""One file for each way in which a decoder learns while it runs; the file's name is its kind."""
