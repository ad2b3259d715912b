"""Models on the move between real servers and real registries, and what may go wrong on the way."""
