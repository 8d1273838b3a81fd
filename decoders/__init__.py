"""What samples become: features, and what a decoder makes of them. Imports devices only."""
