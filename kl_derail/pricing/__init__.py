"""What a scripted behaviour costs in nats, without any training."""

from kl_derail.pricing.behaviours import Behaviour, Line, behaviour
from kl_derail.pricing.comparison import Comparison, compare
from kl_derail.pricing.costs import ChatCost, chat_cost, scripted_turns
from kl_derail.pricing.events import BlankTurn, ExactText, token_bytes
from kl_derail.pricing.mass import EventCost, event_cost
from kl_derail.pricing.predict import Outcome, Prediction, outcome, predict
from kl_derail.pricing.price import (
    CheaperStyle,
    Plays,
    Price,
    Priced,
    cheaper_style,
    price_base,
    price_behaviour,
    price_episodes,
)
from kl_derail.pricing.report import read_prices
from kl_derail.pricing.runs import Setting, Trained, read_runs, setting_of
from kl_derail.pricing.script import BehaviourPolicy
from kl_derail.pricing.spellings import TurnEvent, turn_events
from kl_derail.pricing.start import start_budget, start_cost

__all__ = [
    "Behaviour",
    "BehaviourPolicy",
    "BlankTurn",
    "ChatCost",
    "CheaperStyle",
    "Comparison",
    "EventCost",
    "ExactText",
    "Line",
    "Outcome",
    "Plays",
    "Prediction",
    "Price",
    "Priced",
    "Setting",
    "Trained",
    "TurnEvent",
    "behaviour",
    "chat_cost",
    "cheaper_style",
    "compare",
    "event_cost",
    "outcome",
    "predict",
    "price_base",
    "price_behaviour",
    "price_episodes",
    "read_prices",
    "read_runs",
    "scripted_turns",
    "setting_of",
    "start_budget",
    "start_cost",
    "token_bytes",
    "turn_events",
]
