"""What the arena keeps in the database: sessions, battles, votes, rosters and prompts (contract arena §2.11)."""
