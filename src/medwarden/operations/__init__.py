"""Floor 3: utilisation, maintenance windows, recalls as biomedical engineering sees them."""
