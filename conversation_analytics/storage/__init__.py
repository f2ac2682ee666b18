"""Where results live: the lake, its index and MongoDB. Nothing here knows what a message means."""
