"""What devices do all day: activities that turn the work of a hospital into conversations."""
