"""Converters: one file per published method. A file here with a registered class appears everywhere by itself."""
