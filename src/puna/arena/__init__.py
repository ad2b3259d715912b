"""The same question to many models or settings side by side, blind if one likes, with votes and ratings."""
