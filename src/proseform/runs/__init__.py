"""The shipped runs, as TOML."""
