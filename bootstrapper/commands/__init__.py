"""What each command does: puts the world together, runs a flow, prints the result. No decisions of their own."""
