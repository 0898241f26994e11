"""Recalls and makers' notices: what each says, which devices it concerns, what is done about it."""
