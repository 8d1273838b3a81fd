"""What ``python -m bci_server.web`` runs."""

from __future__ import annotations

from bci_server.web.process import main

if __name__ == "__main__":
    main()
