"""What Berth reads from GitHub, and how its deliveries are checked. See `protocol`."""
