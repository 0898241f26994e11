"""Floor 1: the frozen facts every engine speaks in, and the interfaces of the edges."""
