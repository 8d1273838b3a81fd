"""What stands between a decoder and an effector."""
