"""What the stage's pictures show: records in, plain data out."""
