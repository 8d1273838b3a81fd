"""How the rows of one session become what those of another were: fitted, then one map a row."""
