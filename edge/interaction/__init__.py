"""Take and put_back events at a fixture, from the pictures of its shelf camera."""
