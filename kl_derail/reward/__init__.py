"""What a reply is worth: sentiment by default, any function from texts to scores otherwise."""

from kl_derail.reward.replies import ReplyScorer, Scorer
from kl_derail.reward.sentiment import SentimentModel

__all__ = ["ReplyScorer", "Scorer", "SentimentModel"]
