"""What becomes of every field of every request: tables that tests run through and docs/dialects.md is made from."""
