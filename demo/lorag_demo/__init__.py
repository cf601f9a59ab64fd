"""What the demo runs on: a tiny base model and its maker, example chats, PDF documents and questions about them."""
