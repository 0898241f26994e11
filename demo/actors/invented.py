"""Invented patients: obviously so, in the shape that real messages have."""

from __future__ import annotations

PATIENTS = [
    ("Zweifelstein^Aurelia", "MRN7740021", "19510304", "F"),
    ("Quastenhuber^Balthasar", "MRN7740022", "19680917", "M"),
    ("Obermoosthal^Clementine", "MRN7740023", "19830122", "F"),
    ("Wrzeszczynska^Dobrawa", "MRN7740024", "19991130", "F"),
    ("Findlebury^Ebenezer", "MRN7740025", "19420615", "M"),
]
