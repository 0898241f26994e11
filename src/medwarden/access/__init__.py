"""Floor 3: who may do what: roles and, later, grants to a device."""
