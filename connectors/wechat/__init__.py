"""The WeChat Official Account platform: messages in, calls out."""
