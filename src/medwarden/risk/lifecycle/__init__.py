"""How long devices live: ends of support, what they are still worth, what to replace within a budget."""
