"""What a device is: a recipe that opens a stream of samples. Imports nothing of ours."""
