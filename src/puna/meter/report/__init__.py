"""What was measured, for others: v2 envelope, raw records, Markdown, one HTML page, comparison of two runs."""
