"""HOW papers are printed: a sheet says what stands on one, `as_html` and `as_pdf` print it."""
