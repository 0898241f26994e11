"""Work on risk: what a person does about what is known, how urgent it is, until when, and VEX in and out."""
