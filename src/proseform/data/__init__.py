"""The data room: cases of a task into the rows that the two roles are trained on, and random schemas."""
