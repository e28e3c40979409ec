"""The conversation itself: routing, dialogs, deadlines. It knows no particular service."""
