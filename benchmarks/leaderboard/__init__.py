"""Every decoder on every recorded set that suits it: what is measured, how, and how it is shown."""
