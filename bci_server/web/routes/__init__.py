"""One file per part of the web interface."""
