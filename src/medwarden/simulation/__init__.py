"""Floor 3: a hospital that can be replayed: devices, their work, and the traffic they make of it."""
