"""Which of two teachers is better? Pairs of chats, a judge, and intervals that can be trusted."""
