"""What does ``python -m exlab_sync_tui`` do? The same as ``exlab-sync``."""

from exlab_sync_tui.cli import main

if __name__ == "__main__":
    main()
