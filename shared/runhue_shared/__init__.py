"""What the SDK and the services agree on: events, messages, color maths, and the database."""
