"""The conversation itself: routing, dialogs, sessions, deadlines. It knows no particular service."""
