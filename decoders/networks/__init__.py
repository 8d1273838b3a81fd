"""Networks as torch modules, one file each, after their papers. Loaded only to train."""
