"""How a run is conducted and shown: the loop, the engine, the sessions, the web."""
