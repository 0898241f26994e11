"""What is learnt from labelled devices: how far rules are right, and what unnamed words say.

Rules of ``inventory/labelling.py`` stay the ground: a model that was trained adds votes of its own and
corrects the trust in rules, it never takes their place.
"""
